use serde::Serialize;

/// A piece of a text.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Part {
    text: String,
    is_link: bool,
}

/// A text whose links can be followed.
pub(super) fn linked(text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let link = word.trim_end();
        let is_link = link.starts_with("https://") || link.starts_with("http://");
        let rest = if is_link {
            parts.push(Part { text: link.to_owned(), is_link });
            word.get(link.len()..).unwrap_or_default()
        } else {
            word
        };
        match parts.last_mut() {
            Some(last) if !last.is_link => last.text.push_str(rest),
            _ => parts.push(Part { text: rest.to_owned(), is_link: false }),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::linked;

    #[test]
    fn links_of_a_text_stand_alone() {
        let told = |text: &str| -> Vec<(String, bool)> {
            linked(text).into_iter().map(|part| (part.text, part.is_link)).collect()
        };
        let link = "http://127.0.0.1/verify-email?token=uvt_x";
        assert_eq!(
            told(&format!("Open this:\n\n{link}\n\nIt works.")),
            [
                ("Open this:\n\n".to_owned(), false),
                (link.to_owned(), true),
                ("\n\nIt works.".to_owned(), false),
            ]
        );
        assert_eq!(told("javascript:x"), [("javascript:x".to_owned(), false)]);
        assert_eq!(told(""), []);
    }
}
