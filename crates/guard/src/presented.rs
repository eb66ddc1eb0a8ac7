/// What a request shows: the token of its `Authorization` header, and of nothing else (RFC 6750 §2.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Presented<'r> {
    /// No bearer token.
    Nothing,
    /// A header that stands twice, which no client sends by right.
    Ambiguous,
    /// A bearer token.
    Token(&'r str),
}

impl<'r> Presented<'r> {
    /// Reads the values of every `Authorization` header of a request.
    pub fn read(values: impl IntoIterator<Item = &'r [u8]>) -> Self {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return Self::Nothing };
        if values.next().is_some() {
            return Self::Ambiguous;
        }
        bearer(first).map_or(Self::Nothing, Self::Token)
    }
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Ambiguous => "Ambiguous",
            Self::Token(_) => "Token(…)",
        })
    }
}

fn bearer(value: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.is_ascii())?;
    let (scheme, token) = text.trim().split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read<'r>(values: &[&'r str]) -> Presented<'r> {
        Presented::read(values.iter().map(|value| value.as_bytes()))
    }

    #[test]
    fn one_bearer_header_is_a_token() {
        assert_eq!(read(&["Bearer a.b.c"]), Presented::Token("a.b.c"));
        assert_eq!(read(&["bEaReR   a.b.c "]), Presented::Token("a.b.c"));
        for other in
            ["", "Bearer", "bearer ", "Basic YTpi", "a.b.c", "Bearera.b.c", "Bearer \u{e9}"]
        {
            assert_eq!(read(&[other]), Presented::Nothing, "{other}");
        }
        assert_eq!(read(&[]), Presented::Nothing);
        for twice in [["Bearer a", "Bearer a"], ["Basic a", "Bearer a"], ["Bearer a", ""]] {
            assert_eq!(read(&twice), Presented::Ambiguous);
        }
        assert!(!format!("{:?}", read(&["Bearer secret"])).contains("secret"));
    }

    proptest! {
        #[test]
        fn any_header_is_read(bytes in any::<Vec<u8>>(), token in "[!-~]{1,80}") {
            let _ = Presented::read([bytes.as_slice()]);
            let header = format!("Bearer {token}");
            prop_assert_eq!(read(&[&header]), Presented::Token(&token));
        }
    }
}
