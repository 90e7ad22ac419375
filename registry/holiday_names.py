"""Russian names of the holidays of Kazakhstan: the `holidays` package has Kazakh and English ones only."""

RUSSIAN = {
    "New Year's Day": "Новый год",
    "Orthodox Christmas": "Православное Рождество",
    "International Women's Day": "Международный женский день",
    "Nowruz Holiday": "Наурыз мейрамы",
    "Kazakhstan's People Solidarity Holiday": "Праздник единства народа Казахстана",
    "Defender of the Fatherland Day": "День защитника Отечества",
    "Victory Day": "День Победы",
    "Capital Day": "День столицы",
    "Constitution Day": "День Конституции",
    "Republic Day": "День Республики",
    "Independence Day": "День Независимости",
    "First President Day": "День Первого Президента",
    "Eid al-Adha": "Курбан-айт",
    "Day off": "Выходной день",
    "observed": "перенос выходного дня",
    "estimated": "дата предварительная",
    "substituted": "перенесённый выходной",
}
