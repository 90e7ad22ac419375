

import django.db.models.deletion
import registry.models.requests
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('registry', '0010_calendar'),
    ]

    operations = [
        migrations.AddField(
            model_name='erasurecertificate',
            name='spared',
            field=models.JSONField(default=list, verbose_name='kept until the answer is sent'),
        ),
        migrations.AddField(
            model_name='historicalretentionsettings',
            name='superseded_days',
            field=models.PositiveSmallIntegerField(default=30, verbose_name='days a corrected value is kept beside the new one'),
        ),
        migrations.AddField(
            model_name='retentionsettings',
            name='superseded_days',
            field=models.PositiveSmallIntegerField(default=30, verbose_name='days a corrected value is kept beside the new one'),
        ),
        migrations.AlterField(
            model_name='datacategory',
            name='kind',
            field=models.CharField(choices=[('email', 'e-mail address'), ('phone', 'phone number'), ('technical', 'technical data of a request'), ('scan', 'scan of a paper'), ('text', 'text of a request or an answer'), ('mail', 'e-mail message')], max_length=10, verbose_name='kind'),
        ),
        migrations.AlterField(
            model_name='historicaldatacategory',
            name='kind',
            field=models.CharField(choices=[('email', 'e-mail address'), ('phone', 'phone number'), ('technical', 'technical data of a request'), ('scan', 'scan of a paper'), ('text', 'text of a request or an answer'), ('mail', 'e-mail message')], max_length=10, verbose_name='kind'),
        ),
        migrations.CreateModel(
            name='SubjectRequest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.CharField(default=registry.models.requests.new_request_number, max_length=12, unique=True, verbose_name='number')),
                ('kind', models.CharField(choices=[('access', 'copy of the data'), ('rectification', 'correction'), ('blocking', 'blocking'), ('unblocking', 'unblocking'), ('erasure', 'destruction'), ('withdrawal', 'withdrawal of consent'), ('objection', 'objection to automated processing'), ('other', 'another question')], max_length=15, verbose_name='kind')),
                ('channel', models.CharField(choices=[('page', 'page'), ('mail', 'e-mail'), ('desk', 'desk')], max_length=10, verbose_name='channel')),
                ('language', models.CharField(max_length=2, verbose_name='language')),
                ('state', models.CharField(choices=[('unverified', 'waits for confirmation'), ('open', 'in work'), ('paused', 'paused: identity in doubt'), ('answered', 'answer given'), ('joined', 'joined to another'), ('spam', 'closed as spam'), ('lapsed', 'not confirmed in time'), ('disowned', 'not sent by the person')], max_length=10, verbose_name='state')),
                ('identity', models.CharField(choices=[('none', 'not confirmed'), ('link', 'confirmed by the link'), ('checklist', 'checked at the desk')], default='none', max_length=10, verbose_name='identity')),
                ('received_at', models.DateTimeField(verbose_name='received at')),
                ('contact_id', models.BigIntegerField(null=True, verbose_name='number of the contact')),
                ('text_id', models.BigIntegerField(null=True, verbose_name='number of the text')),
                ('scan_id', models.BigIntegerField(null=True, verbose_name='number of the scan')),
                ('answer_id', models.BigIntegerField(null=True, verbose_name='number of the answer')),
                ('length', models.PositiveSmallIntegerField(verbose_name='length')),
                ('unit', models.CharField(choices=[('working_days', 'working days'), ('calendar_days', 'calendar days')], max_length=20, verbose_name='unit')),
                ('extra_days', models.PositiveSmallIntegerField(default=0, verbose_name='extended by')),
                ('due_on', models.DateField(null=True, verbose_name='due on')),
                ('alarm_on', models.DateField(null=True, verbose_name='warn on')),
                ('explanation', models.JSONField(default=dict, verbose_name='how the term was counted')),
                ('reminded_at', models.DateTimeField(null=True, verbose_name='reminded at')),
                ('verified_at', models.DateTimeField(null=True, verbose_name='identity confirmed at')),
                ('outcome', models.CharField(blank=True, choices=[('granted', 'done'), ('partly', 'done in part'), ('refused', 'refused')], max_length=10, verbose_name='outcome')),
                ('answered_at', models.DateTimeField(null=True, verbose_name='answered at')),
                ('answered_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='answered by')),
                ('assignee', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='taken by')),
                ('certificate', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='registry.erasurecertificate', verbose_name='erasure certificate')),
                ('deadline', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to='registry.deadline', verbose_name='deadline')),
                ('entered_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='entered by')),
                ('ground', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, to='registry.legalground', verbose_name='ground of the refusal')),
                ('joined_to', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='duplicates', to='registry.subjectrequest')),
                ('subject', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='requests', to='registry.datasubject', verbose_name='data subject')),
            ],
            options={
                'verbose_name': 'request',
                'verbose_name_plural': 'requests',
                'ordering': ['-pk'],
                'permissions': [('handle_subjectrequest', 'May handle requests'), ('rectify_personaldatum', 'May correct personal data')],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='RequestStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('step', models.CharField(choices=[('received', 'received'), ('confirmed', 'identity confirmed'), ('paused', 'paused: identity in doubt'), ('resumed', 'resumed'), ('extended', 'term extended'), ('recounted', 'term counted anew'), ('taken', 'taken'), ('kind', 'kind corrected'), ('written', 'another letter, the sender not checked'), ('done', 'carried out'), ('answered', 'answer given'), ('joined', 'joined to another'), ('spam', 'closed as spam'), ('lapsed', 'not confirmed in time'), ('disowned', 'not sent by the person'), ('reminded', 'staff reminded')], max_length=10, verbose_name='step')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('reason', models.CharField(blank=True, max_length=300, verbose_name='reason')),
                ('due_on', models.DateField(null=True, verbose_name='due on')),
                ('by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='staff member')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='steps', to='registry.subjectrequest', verbose_name='request')),
            ],
            options={
                'verbose_name': 'step of a request',
                'verbose_name_plural': 'steps of requests',
                'ordering': ['pk'],
                'default_permissions': ('view',),
            },
        ),
        migrations.CreateModel(
            name='CopyPackage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(choices=[('building', 'being built'), ('ready', 'ready to be fetched'), ('taken', 'fetched'), ('destroyed', 'file destroyed'), ('failed', 'failed')], max_length=10, verbose_name='state')),
                ('asked_at', models.DateTimeField(verbose_name='asked for at')),
                ('built_at', models.DateTimeField(null=True, verbose_name='built at')),
                ('expires_at', models.DateTimeField(null=True, verbose_name='kept until')),
                ('taken_at', models.DateTimeField(null=True, verbose_name='fetched at')),
                ('destroyed_at', models.DateTimeField(null=True, verbose_name='file destroyed at')),
                ('size', models.PositiveBigIntegerField(default=0, verbose_name='size, bytes')),
                ('digest', models.CharField(blank=True, max_length=64, verbose_name='digest')),
                ('failure', models.CharField(blank=True, max_length=100, verbose_name='failure')),
                ('wrapped', models.BinaryField(null=True)),
                ('asked_by', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL, verbose_name='asked for by')),
                ('request', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='packages', to='registry.subjectrequest', verbose_name='request')),
            ],
            options={
                'verbose_name': "copy of a person's data",
                'verbose_name_plural': "copies of people's data",
                'ordering': ['-pk'],
                'default_permissions': ('view',),
            },
        ),
        migrations.AddIndex(
            model_name='subjectrequest',
            index=models.Index(condition=models.Q(('state__in', ['unverified', 'open'])), fields=['due_on', 'id'], name='request_queue'),
        ),
        migrations.AddIndex(
            model_name='subjectrequest',
            index=models.Index(fields=['state', 'id'], name='request_of_state'),
        ),
        migrations.AddIndex(
            model_name='subjectrequest',
            index=models.Index(fields=['received_at', 'id'], name='request_in_time'),
        ),
        migrations.AddConstraint(
            model_name='subjectrequest',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['open', 'paused']), models.Q(('kind', 'other'), _negated=True)), fields=('subject', 'kind'), name='one_open_request_of_a_kind'),
        ),
        migrations.AddConstraint(
            model_name='subjectrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('alarm_on', None), ('due_on', None), ('state', 'paused')), models.Q(('state__in', ['unverified', 'open', 'paused']), _negated=True), models.Q(('alarm_on__isnull', False), ('due_on__isnull', False), ('state__in', ['unverified', 'open'])), _connector='OR'), name='request_has_its_day_unless_paused'),
        ),
        migrations.AddConstraint(
            model_name='subjectrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['open', 'answered']), _negated=True), models.Q(('identity', 'none'), _negated=True), ('outcome', 'refused'), _connector='OR'), name='request_in_work_is_a_known_persons'),
        ),
        migrations.AddConstraint(
            model_name='subjectrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('identity', 'none'), ('verified_at', None)), models.Q(models.Q(('identity', 'none'), _negated=True), ('verified_at__isnull', False)), _connector='OR'), name='confirmed_identity_has_its_moment'),
        ),
        migrations.AddConstraint(
            model_name='subjectrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('answered_at__isnull', False), ('state', 'answered'), models.Q(('outcome', ''), _negated=True)), models.Q(models.Q(('state', 'answered'), _negated=True), ('answered_at', None), ('outcome', '')), _connector='OR'), name='answered_request_has_its_outcome'),
        ),
        migrations.AddConstraint(
            model_name='subjectrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('outcome', 'refused'), _negated=True), models.Q(('answer_id__isnull', False), ('ground__isnull', False)), _connector='OR'), name='refusal_has_ground_and_text'),
        ),
        migrations.AddConstraint(
            model_name='subjectrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('joined_to__isnull', False), ('state', 'joined')), models.Q(models.Q(('state', 'joined'), _negated=True), ('joined_to', None)), _connector='OR'), name='joined_request_names_the_other'),
        ),
        migrations.AddConstraint(
            model_name='subjectrequest',
            constraint=models.CheckConstraint(condition=models.Q(models.Q(('channel', 'desk'), _negated=True), ('entered_by__isnull', False), _connector='OR'), name='desk_request_names_who_entered_it'),
        ),
        migrations.AddConstraint(
            model_name='copypackage',
            constraint=models.UniqueConstraint(condition=models.Q(('state__in', ['building', 'ready'])), fields=('request',), name='one_copy_at_a_time'),
        ),
        migrations.AddConstraint(
            model_name='copypackage',
            constraint=models.CheckConstraint(condition=models.Q(('wrapped', None), ('state__in', ['building', 'ready']), _connector='OR'), name='copy_key_goes_with_its_file'),
        ),
    ]
