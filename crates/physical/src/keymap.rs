//! kvmd's keymaps, with which it types text.

/// The keymap of an XKB layout with optional variant (`us`, `de`, `us(intl)`); US English for those that kvmd has none for.
pub fn of_layout(layout: &str) -> &'static str {
    let bare = layout.split('(').next().unwrap_or_default();
    match bare {
        "gb" | "uk" => "en-gb",
        "ara" => "ar",
        "be" => "fr-be",
        "bg" => "bg",
        "br" => "pt-br",
        "ca" => "fr-ca",
        "ch" if layout.contains("fr") => "fr-ch",
        "ch" => "de-ch",
        "cz" => "cz",
        "de" => "de",
        "dk" => "da",
        "ee" => "et",
        "es" => "es",
        "fi" => "fi",
        "fo" => "fo",
        "fr" => "fr",
        "hr" => "hr",
        "hu" => "hu",
        "is" => "is",
        "it" => "it",
        "jp" => "ja",
        "lt" => "lt",
        "lv" => "lv",
        "mk" => "mk",
        "nl" => "nl",
        "no" => "no",
        "pl" => "pl",
        "pt" => "pt",
        "ru" => "ru",
        "se" => "sv",
        "si" => "sl",
        "th" => "th",
        "tr" => "tr",
        _ => "en-us",
    }
}
