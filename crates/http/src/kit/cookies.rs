use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};

/// What a browser keeps for the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// The secret of a sign-in.
    Session,
    /// What ties a form to the browser that fetched it, while nobody is signed in.
    Form,
}

/// The cookies of the pages. Over https a browser takes them from this very host only, over encrypted
/// connections (RFC 6265bis §4.1.3.2); plain http cannot promise that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cookies {
    https: bool,
}

impl Cookies {
    pub(crate) fn new(https: bool) -> Self {
        Self { https }
    }

    /// The value in a request; none when two differ, as neither is then known to be ours.
    pub(super) fn read(self, headers: &HeaderMap, kept: Kept) -> Option<String> {
        let name = self.name(kept);
        let lines = headers.get_all(COOKIE).filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
        let mut values = pairs.filter(|(key, _)| key.trim() == name).map(|(_, value)| value.trim());
        let first = values.next().filter(|value| !value.is_empty())?;
        values.all(|value| value == first).then(|| first.to_owned())
    }

    /// The header that has a browser keep a value until it is closed.
    pub(super) fn keep(self, kept: Kept, value: &str) -> Option<HeaderValue> {
        self.header(kept, value, "")
    }

    /// The header that has it forget the value.
    pub(super) fn forget(self, kept: Kept) -> Option<HeaderValue> {
        self.header(kept, "", "; Max-Age=0")
    }

    fn header(self, kept: Kept, value: &str, life: &str) -> Option<HeaderValue> {
        let secure = if self.https { "; Secure" } else { "" };
        let name = self.name(kept);
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{life}");
        HeaderValue::from_str(&text).ok()
    }

    fn name(self, kept: Kept) -> &'static str {
        match (kept, self.https) {
            (Kept::Session, true) => "__Host-portcullis",
            (Kept::Session, false) => "portcullis",
            (Kept::Form, true) => "__Host-portcullis-form",
            (Kept::Form, false) => "portcullis-form",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, HeaderValue::from_str(line).unwrap());
        }
        Cookies::new(false).read(&headers, Kept::Session)
    }

    #[test]
    fn one_value_is_read_wherever_it_stands() {
        assert_eq!(read(&["portcullis=a"]).as_deref(), Some("a"));
        assert_eq!(read(&["x=1; portcullis=a;y=2", "z=3"]).as_deref(), Some("a"));
        assert_eq!(read(&["x=1", "portcullis=a; portcullis=a"]).as_deref(), Some("a"));
    }

    #[test]
    fn no_value_or_two_are_none() {
        for lines in [
            &[][..],
            &["portcullis"],
            &["portcullis="],
            &["portcullis-form=a"],
            &["xportcullis=a"],
            &["portcullis=a; portcullis=b"],
            &["portcullis=a", "portcullis=b"],
            &["portcullis=; portcullis=b"],
        ] {
            assert_eq!(read(lines), None, "{lines:?}");
        }
    }

    #[test]
    fn over_https_the_name_and_the_flags_bind_it_to_the_host() {
        let text = |https, value: Option<&str>| {
            let cookies = Cookies::new(https);
            let header = match value {
                Some(value) => cookies.keep(Kept::Session, value),
                None => cookies.forget(Kept::Session),
            };
            header.unwrap().to_str().unwrap().to_owned()
        };
        let flags = "Path=/; HttpOnly; SameSite=Lax";
        assert_eq!(text(true, Some("v")), format!("__Host-portcullis=v; {flags}; Secure"));
        assert_eq!(text(false, Some("v")), format!("portcullis=v; {flags}"));
        assert_eq!(text(true, None), format!("__Host-portcullis=; {flags}; Secure; Max-Age=0"));
        assert_eq!(Cookies::new(true).keep(Kept::Session, "a\r\nb"), None);
    }
}
