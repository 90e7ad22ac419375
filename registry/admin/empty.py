"""What an empty list says: what it is for, and what to do so that it fills. An admin's own `empty_text` wins."""

from django.contrib.admin import ModelAdmin
from django.utils.translation import gettext_lazy as _

TEXTS = {
    "auth.group": _("Roles come with the registry. If there are none, the database must be prepared anew."),
    "registry.accesssettings": _("How many values may be opened in a day. The one row comes with the registry."),
    "registry.appointment": _(
        "Orders that let a member of the staff see people. Add the first one: until then nobody sees anybody."
    ),
    "registry.auditentry": _("Who looked at whom, who changed what, and when. It fills by itself as people work."),
    "registry.auditseal": _("Every few minutes the audit is sealed. The first seal comes with the first entries."),
    "registry.auditverification": _("Whether the audit is still what was sealed. It is looked at every night."),
    "registry.country": _("Countries data are sent to. Add one before you name a recipient there."),
    "registry.datacategory": _("Kinds of data, approved by an order. Without one nothing can be asked for."),
    "registry.dataexport": _("Lists that were taken out, with the reason and what became of the file."),
    "registry.datasubject": _(
        "People whose data are held. They come by the consent form on your site, or from paper and telephone."
    ),
    "registry.deadline": _("The Law's deadlines. They come with the registry."),
    "registry.erasurecertificate": _(
        "Erasures that were demanded, each with the act that proves it. Begin one on the page of the person."
    ),
    "registry.erasurerecord": _(
        "What was destroyed, when and why. It fills with the first purge that finds something."
    ),
    "registry.jobrun": _("Runs of the regular jobs. If this stays empty, no worker runs: tell the administrator."),
    "registry.legalground": _("Articles that let data be held without consent. They come with the registry."),
    "registry.legalhold": _(
        "While a dispute or inspection lasts, a hold keeps data from being destroyed. Place one when told to."
    ),
    "registry.operator": _("Your organisation, as people are told about it. Without it nobody can be asked."),
    "registry.outgoingmessage": _("Letters to people and whether they left. The first goes with the first consent."),
    "registry.personnotice": _(
        "Transfers that people want to be told of. It fills when somebody who made it a condition is in a file."
    ),
    "registry.processing": _("Whose data are in use, for which purpose and until when. It fills with consents."),
    "registry.processingpurpose": _("What data are collected for, and how long they are kept. Add the first purpose."),
    "registry.purgepreview": _("Lists of what is due to be destroyed. Keep one from “What would go now”."),
    "registry.purgerun": _("Each night what is due is destroyed. The first run will stand here tomorrow morning."),
    "registry.recipientnotice": _(
        "What recipients must be told about people they were given. It fills when one of them withdraws or is erased."
    ),
    "registry.recipient": _("Who is given data, and in which country. Add everybody your purposes name."),
    "registry.replytemplate": _(
        "Texts for answers, in three languages, so that everybody answers alike. Add one for each kind of request."
    ),
    "registry.retentionsettings": _("When a purge stops and asks. The one row comes with the registry."),
    "registry.rulechange": _(
        "Changes of retention rules, decided by two people. Propose one on the page of a purpose."
    ),
    "registry.selfretentionrule": _("How long the registry keeps its own traces. The rules come with the registry."),
    "registry.sizeclass": _(
        "Sizes of operators by the number of people, and what follows. They come with the registry."
    ),
    "registry.staffmember": _("People who work here. Give each an account of their own."),
    "registry.transfer": _("What was given to whom, on which ground. Choose “Make a transfer” to begin."),
    "registry.workcalendaroverride": _(
        "Days moved by the Government. Add one when it declares a working Saturday or a day off."
    ),
    "registry.subjectrequest": _(
        "What people ask: a copy, a correction, destruction. They come by page and e-mail; enter what came on paper."
    ),
    "consent.campaign": _("Asking people anew when the policy became wider. Begin on the page of its version."),
    "consent.confirmation": _("Questions and their answers. Consents from paper wait here for a second person."),
    "consent.consentrecord": _("Every consent given, changed or withdrawn. It fills when people answer."),
    "consent.policyversion": _("The texts of your policy. Write a version, then publish it."),
    "consent.wording": _("The exact texts people were shown. One is kept when the first person answers it."),
}


def empty_text(model_admin: ModelAdmin) -> str:
    """The sentence for this list; nothing for a list nobody has written one for."""
    own = getattr(model_admin, "empty_text", "")
    return str(own or TEXTS.get(model_admin.opts.label_lower, ""))
