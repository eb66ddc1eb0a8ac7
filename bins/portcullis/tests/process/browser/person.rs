//! Somebody at a browser.

use portcullis_testkit_browser::{Browser, Element, Page, Settings};
use serde_json::json;

use crate::harness::{Account, Server};

/// A person with a browser of their own, in front of one server.
pub(super) struct Person {
    pub(super) page: Page,
    site: String,
}

/// Going to places and doing what is offered there.
impl Person {
    /// Somebody whose browser runs no scripts.
    #[track_caller]
    pub(super) fn new(browser: &Browser, server: &Server) -> Self {
        let page = browser.open(Settings { scripts: false, ..Settings::default() });
        Self::with(page, server)
    }

    /// Somebody with this browser.
    pub(super) fn with(page: Page, server: &Server) -> Self {
        Self { page, site: format!("http://{}", server.address()) }
    }

    /// The URL of a path of the server.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site)
    }

    #[track_caller]
    pub(super) fn open(&self, path: &str) {
        self.page.goto(&self.url(path));
    }

    /// Puts texts into fields, by their names, in place of what stands there: all at once, as from
    /// the clipboard, since the driver takes its time for every key.
    #[track_caller]
    pub(super) fn fill(&self, fields: &[(&str, &str)]) {
        for (name, text) in fields {
            self.page.find(&format!("[name={name}]")).fill("");
            self.page.devtools("Input.insertText", json!({ "text": text }));
        }
    }

    /// Presses the button that says this.
    #[track_caller]
    pub(super) fn press(&self, button: &str) {
        self.shown("button", button).follow();
    }

    /// Follows the link that says this.
    #[track_caller]
    pub(super) fn follow(&self, link: &str) {
        self.shown("a", link).follow();
    }

    #[track_caller]
    fn shown(&self, css: &str, text: &str) -> Element<'_> {
        self.page.wait_for(text, || {
            self.page.find_all(css).into_iter().find(|element| element.text() == text)
        })
    }

    #[track_caller]
    pub(super) fn sign_in(&self, account: &Account) {
        self.open("/account");
        self.fill(&[("email", &account.email), ("password", &account.password)]);
        self.press("Sign in");
        assert!(self.is_signed_in(), "{}", self.reads());
    }
}

/// Looking at what is there.
impl Person {
    /// What the page says between its head and its foot.
    #[track_caller]
    pub(super) fn reads(&self) -> String {
        self.page.text("main")
    }

    #[track_caller]
    pub(super) fn heading(&self) -> String {
        self.page.text("h1")
    }

    /// What the page says was done.
    #[track_caller]
    pub(super) fn notice(&self) -> String {
        self.page.text("[role=status]")
    }

    /// What the page says went wrong.
    #[track_caller]
    pub(super) fn problem(&self) -> String {
        self.page.text("[role=alert]")
    }

    /// What is said beside a field, which must be marked as wrong and name that text.
    #[track_caller]
    pub(super) fn wrong(&self, name: &str) -> String {
        let field = self.page.find(&format!("[name={name}]"));
        assert_eq!(field.attribute("aria-invalid").as_deref(), Some("true"));
        let about = field.attribute("aria-describedby").unwrap_or_default();
        assert!(about.contains(&format!("{name}-error")), "{about}");
        self.page.text(&format!("#{name}-error"))
    }

    /// Whether the page that is shown is one of somebody who is signed in.
    #[track_caller]
    pub(super) fn is_signed_in(&self) -> bool {
        self.page.has("form[action='/account/sign-out']")
    }

    /// The path and the query that are shown.
    #[track_caller]
    pub(super) fn path(&self) -> String {
        let url = self.page.url();
        url.strip_prefix(&self.site).expect("a page of the server").to_owned()
    }
}

/// Reading mails in the inbox of development.
impl Person {
    /// Opens the newest mail to an address with this in its subject, as soon as it has come.
    #[track_caller]
    pub(super) fn open_mail(&self, to: &str, subject: &str) {
        self.open("/dev/inbox");
        self.page.wait_for(subject, || {
            let mails = self.page.find_all("main li");
            let is_it = |mail: &Element<'_>| {
                let text = mail.text();
                text.contains(subject) && text.contains(&format!("to {to} "))
            };
            let at = mails.iter().position(is_it);
            let Some(at) = at else {
                self.follow("Look again");
                return None;
            };
            self.page.find_all("main li a")[at].follow();
            Some(())
        });
    }

    /// The link in the mail that is open.
    #[track_caller]
    pub(super) fn mailed_link(&self) -> String {
        self.page.find(".mail a").attribute("href").expect("a link")
    }

    /// The code in the mail that is open.
    #[track_caller]
    pub(super) fn mailed_code(&self) -> String {
        let text = self.page.text(".mail");
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|b| b.is_ascii_digit());
        text.lines().map(str::trim).find(is_code).expect("a code").to_owned()
    }

    /// Opens a mail and follows its link.
    #[track_caller]
    pub(super) fn follow_mail(&self, to: &str, subject: &str) {
        self.open_mail(to, subject);
        self.page.find(".mail a").follow();
    }
}
