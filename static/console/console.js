"use strict";
// Comfort only: without this file every page works. Nothing is sent or kept but one switch in this browser.
{
  const help = document.getElementById("keyboard");
  const byKey = (key) => help && help.querySelector(`[data-go="${key}"]`);

  // Single keys can be switched off (WCAG 2.1.4): screen readers and dictation use them too.
  const isOn = () => localStorage.getItem("console.keys") !== "off";
  const isTyping = (target) => target.isContentEditable || /^(input|select|textarea)$/i.test(target.tagName);

  // On a Kazakh or Russian layout the key with G on it says "п": then its place on the keyboard counts.
  const pressed = (event) => {
    if (/^[a-z/?]$/i.test(event.key)) return event.key.toLowerCase();
    if (event.code === "Slash") return event.shiftKey ? "?" : "/";
    return event.code.replace("Key", "").toLowerCase();
  };

  let isAfterG = false;
  const go = (key) => {
    const link = byKey(key);
    if (link) location.href = link.href;
    return Boolean(link);
  };
  const focusSearch = () => {
    const field = document.querySelector(".find input[name=term], #searchbar");
    if (field) field.focus();
    return Boolean(field);
  };
  const openHelp = () => {
    if (!help.open) help.showModal();
    return true;
  };
  const act = (key) => {
    const wasAfterG = isAfterG;
    isAfterG = key === "g" && !wasAfterG;
    if (wasAfterG) return go(key);
    if (key === "/") return focusSearch();
    return key === "?" && openHelp();
  };
  const onKey = (event) => {
    if (!isOn() || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.key === "Shift" || isTyping(event.target) || help.open) return;
    if (act(pressed(event))) event.preventDefault();
  };

  if (help) {
    const keys = help.querySelector("input[type=checkbox]");
    keys.checked = isOn();
    keys.addEventListener("change", () => localStorage.setItem("console.keys", keys.checked ? "on" : "off"));
    document.addEventListener("keydown", onKey);
    document.querySelectorAll('a[href="#keyboard"]').forEach((link) => {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        openHelp();
      });
    });
  }

  // On a phone a row is a card: each cell says what its column says.
  document.querySelectorAll("#result_list, #change-history").forEach((table) => {
    const names = [...table.querySelectorAll("thead th")].map((th) => {
      const text = th.querySelector(".text") || th;
      return th.classList.contains("action-checkbox-column") ? "" : text.textContent.trim();
    });
    table.querySelectorAll("tbody tr").forEach((row) => {
      [...row.children].forEach((cell, place) => cell.setAttribute("data-label", names[place] || ""));
    });
  });

  // Django writes "Date:" and "Time:" beside its two fields, not as their labels.
  document.querySelectorAll(".datetime input").forEach((field) => {
    field.setAttribute("aria-label", (field.previousSibling || field).textContent.trim());
  });

  // The menu under a name closes like a menu.
  document.querySelectorAll("details.menu").forEach((menu) => {
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) menu.open = false;
    });
    menu.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !menu.open) return;
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });
}
