//! What a client would rather read (RFC 9110 §12.5.1).

/// Whether the values of `Accept` want a page more than they want JSON. Who wants both alike, or says
/// nothing, gets JSON.
pub(super) fn prefers_html<'a>(values: impl Iterator<Item = &'a str> + Clone) -> bool {
    let ranges = || values.clone().flat_map(|value| value.split(','));
    weight(ranges(), "text", "html") > weight(ranges(), "application", "json")
}

/// The weight of a media type, in thousandths: that of the range that names it most closely.
fn weight<'a>(ranges: impl Iterator<Item = &'a str>, kind: &str, subtype: &str) -> u16 {
    let mut closest = (0, 0);
    for range in ranges {
        let mut parts = range.split(';').map(str::trim);
        let Some((its_kind, its_subtype)) = parts.next().and_then(|name| name.split_once('/'))
        else {
            continue;
        };
        let closeness = match (its_kind, its_subtype) {
            ("*", "*") => 1,
            (its, "*") if its.eq_ignore_ascii_case(kind) => 2,
            (its, sub) if its.eq_ignore_ascii_case(kind) && sub.eq_ignore_ascii_case(subtype) => 3,
            _ => continue,
        };
        let quality = parts.find_map(|part| {
            let (name, value) = part.split_once('=')?;
            name.trim().eq_ignore_ascii_case("q").then(|| thousandths(value.trim()))
        });
        closest = closest.max((closeness, quality.unwrap_or(1000)));
    }
    closest.1
}

/// `0.8` → 800; what is no weight counts as none.
fn thousandths(text: &str) -> u16 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_weight = fraction.len() <= 3 && fraction.bytes().all(|b| b.is_ascii_digit());
    let fraction = format!("{fraction:0<3}").parse().unwrap_or(0);
    match whole {
        "0" if is_weight => fraction,
        "1" if is_weight && fraction == 0 => 1000,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_page_is_for_who_wants_it_more_than_json() {
        for accept in [
            "text/html",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "TEXT/HTML",
            "text/*",
            "text/html;charset=utf-8",
            "application/json;q=0.5, text/html;q=0.501",
            "application/json;q=0, */*",
            "text/html;q=0.1,application/xml",
            "*/*;q=0.1, text/html;q=0.2",
            "application/*;q=0.3,text/html ; q=0.4",
        ] {
            assert!(prefers_html([accept].into_iter()), "{accept}");
        }
        for accept in [
            "",
            "*/*",
            "application/json",
            "application/json, text/html",
            "text/html, application/*",
            "text/html;q=0.8, application/json",
            "text/html;q=0.8, */*",
            "text/html;q=0",
            "text/html;q=0, text/*",
            "text/html;q=2",
            "text/html;q=x",
            "text/html;q=0.1234",
            "text/plain",
            "html",
            "text",
            "image/avif,image/webp,*/*;q=0.8",
        ] {
            assert!(!prefers_html([accept].into_iter()), "{accept}");
        }
        assert!(prefers_html(["application/json;q=0.1", "text/html"].into_iter()));
    }

    proptest! {
        #[test]
        fn any_text_is_judged(text in any::<String>(), other in any::<String>()) {
            let asked = [text.as_str(), other.as_str()].into_iter();
            let twice = [other.as_str(), text.as_str()].into_iter();
            prop_assert_eq!(prefers_html(asked), prefers_html(twice));
        }
    }
}
