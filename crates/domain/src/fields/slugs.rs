//! Ids and aliases of custom fields, made from their names.

/// Longest slug, in characters.
const SLUG_CHARS: usize = 50;
/// For names without a letter or digit that has a place in a slug.
const NAMELESS: &str = "field";

/// `Lifecycle stage` becomes `lifecycle_stage`: lower-case letters and digits of ASCII, the rest one `_`. Latin
/// letters lose their accents.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    let mut gap = false;
    for c in name.chars().flat_map(char::to_lowercase) {
        let plain = plain(c);
        if plain.is_empty() {
            // A combining accent belongs to the letter before it.
            gap |= !('\u{300}'..='\u{36f}').contains(&c);
            continue;
        }
        if gap && !slug.is_empty() {
            slug.push('_');
        }
        gap = false;
        slug.push_str(plain.as_str());
    }
    let short: String = slug.chars().take(SLUG_CHARS).collect();
    let short = short.trim_end_matches('_');
    if short.is_empty() { NAMELESS.to_string() } else { short.to_string() }
}

/// `lifecycle_stage` becomes `lifecycleStage`.
pub fn alias(slug: &str) -> String {
    let mut words = slug.split('_');
    let mut alias = words.next().unwrap_or_default().to_string();
    for word in words {
        let mut letters = word.chars();
        alias.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        alias.push_str(letters.as_str());
    }
    alias
}

/// The id itself, or the first of `id_2`, `id_3` … that is not taken.
pub fn free(id: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let numbered = (2_u32..).map(|number| format!("{id}_{number}"));
    std::iter::once(id.to_string()).chain(numbered).find(|id| !is_taken(id)).unwrap_or_default()
}

/// A lower-case letter or digit in ASCII; empty for what has no such form.
fn plain(c: char) -> String {
    let plain = match c {
        'a'..='z' | '0'..='9' => return c.to_string(),
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'æ' => "ae",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'ď' | 'đ' | 'ð' => "d",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'ĥ' | 'ħ' => "h",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'ĵ' => "j",
        'ķ' => "k",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'œ' => "oe",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'þ' => "th",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'ŵ' => "w",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'ź' | 'ż' | 'ž' => "z",
        _ => "",
    };
    plain.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_are_plain() {
        for (name, expected) in [
            ("Lifecycle stage", "lifecycle_stage"),
            ("  e-mail (work) ", "e_mail_work"),
            ("Województwo", "wojewodztwo"),
            ("Straße Größe", "strasse_grosse"),
            ("Cafe\u{301} 2", "cafe_2"),
            ("İD", "id"),
            ("年齢", "field"),
            ("年齢 2", "2"),
            ("___", "field"),
        ] {
            assert_eq!(slug(name), expected, "{name}");
        }
        assert_eq!(slug(&"x".repeat(100)).len(), SLUG_CHARS);
        assert_eq!(alias("lifecycle_stage"), "lifecycleStage");
        assert_eq!(alias("region"), "region");
    }

    #[test]
    fn taken_ids_get_the_next_number() {
        assert_eq!(free("cf_a", |_| false), "cf_a");
        assert_eq!(free("cf_a", |id| ["cf_a", "cf_a_2"].contains(&id)), "cf_a_3");
    }
}
