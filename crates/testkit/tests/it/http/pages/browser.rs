//! A browser without scripts: it keeps cookies, fills forms in and follows redirects.

use std::{cell::RefCell, collections::BTreeMap};

use portcullis_testkit::app::{Client, PASSWORD, Reply, Request, TestApp};

pub(crate) const FORM: &str = "application/x-www-form-urlencoded";

pub(crate) struct Browser<'a> {
    client: Client<'a>,
    cookies: RefCell<BTreeMap<String, String>>,
}

/// A form of a page: where it goes, and what it holds before anybody types.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) inputs: Vec<(String, String)>,
    pub(crate) buttons: Vec<String>,
}

impl<'a> Browser<'a> {
    /// With an address of its own.
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Self::at(app.client())
    }

    pub(crate) fn at(client: Client<'a>) -> Self {
        Self { client, cookies: RefCell::default() }
    }

    /// The same cookies at another address.
    pub(crate) fn moved_to(&self, client: Client<'a>) -> Self {
        Self { client, cookies: RefCell::new(self.cookies.borrow().clone()) }
    }

    /// Signed in with [`PASSWORD`].
    pub(crate) async fn signed_in(app: &'a TestApp, email: &str) -> Self {
        let browser = Self::new(app);
        browser.sign_in(email, PASSWORD).await.expect(303);
        // What it does from now on is counted at an address that tried no password yet.
        browser.moved_to(app.client())
    }

    pub(crate) fn request(&self, method: &str, path: &str) -> Request<'a> {
        let pairs: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = self.client.request(method, path);
        if pairs.is_empty() { request } else { request.header("cookie", pairs.join("; ")) }
    }

    pub(crate) async fn open(&self, path: &str) -> Reply {
        self.keep(self.request("GET", path).await)
    }

    /// Sends these fields, and nothing that a page would add.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        self.keep(self.request("POST", path).body(FORM, encoded(fields)).await)
    }

    /// Fills in the form of a page that goes to `action`, and sends it.
    pub(crate) async fn submit(&self, page: &Reply, action: &str, typed: &[(&str, &str)]) -> Reply {
        let form = form(page, action);
        self.send(action, &filled(&form, typed)).await
    }

    /// Opens a page and sends its form.
    pub(crate) async fn fill(&self, path: &str, action: &str, typed: &[(&str, &str)]) -> Reply {
        let page = self.open(path).await.expect(200);
        self.submit(&page, action, typed).await
    }

    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Reply {
        let typed = [("email", email), ("password", password)];
        self.fill("/account", "/account/sign-in", &typed).await
    }

    /// Goes where a redirect leads.
    pub(crate) async fn follow(&self, reply: &Reply) -> Reply {
        assert_eq!(reply.status, 303, "{}", reply.text());
        self.open(reply.header("location").unwrap()).await
    }

    /// Whether it sees an account, and not the form to sign in.
    pub(crate) async fn is_signed_in(&self) -> bool {
        let page = self.open("/account").await.expect(200);
        let forms: Vec<String> = forms(&page).into_iter().map(|form| form.action).collect();
        assert_ne!(
            forms.contains(&"/account/sign-in".to_owned()),
            forms.contains(&"/account/sign-out".to_owned())
        );
        forms.contains(&"/account/sign-out".to_owned())
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub(crate) fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    pub(crate) fn drop_cookie(&self, name: &str) {
        self.cookies.borrow_mut().remove(name);
    }

    fn keep(&self, reply: Reply) -> Reply {
        for cookie in reply.cookies() {
            let (pair, flags) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if flags.contains("Max-Age=0") {
                self.drop_cookie(name);
            } else {
                self.set_cookie(name, value);
            }
        }
        reply
    }
}

/// The fields of a form after somebody typed.
pub(crate) fn filled<'a>(form: &'a Form, typed: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let is_typed = |name: &str| typed.iter().any(|(typed, _)| *typed == name);
    let left = form.inputs.iter().filter(|(name, _)| !is_typed(name));
    let left = left.map(|(name, value)| (name.as_str(), value.as_str()));
    left.chain(typed.iter().copied()).collect()
}

pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The form of a page that goes to `action`.
#[track_caller]
pub(crate) fn form(page: &Reply, action: &str) -> Form {
    let mut found = forms(page).into_iter().filter(|form| form.action == action);
    found.next().unwrap_or_else(|| panic!("no form to {action}: {}", page.text()))
}

/// Every form of a page. All of them POST.
pub(crate) fn forms(page: &Reply) -> Vec<Form> {
    let text = page.text();
    let parts = text.split("<form ").skip(1).map(|part| part.split_once("</form>").unwrap().0);
    let read = |part: &str| {
        let (tag, inside) = part.split_once('>').unwrap();
        assert_eq!(attribute(tag, "method").as_deref(), Some("post"), "{tag}");
        let tags = inside.split("<input ").skip(1).map(|tag| tag.split_once('>').unwrap().0);
        let input = |tag: &str| {
            let value = attribute(tag, "value").unwrap_or_default();
            attribute(tag, "name").map(|name| (name, value))
        };
        let buttons = inside.split("<button ").skip(1).map(|part| {
            let text = part.split_once('>').unwrap().1.split_once("</button>").unwrap().0;
            text.split('<').next().unwrap().to_owned()
        });
        Form {
            action: attribute(tag, "action").expect("an action"),
            inputs: tags.filter_map(input).collect(),
            buttons: buttons.collect(),
        }
    };
    parts.map(read).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = format!(" {tag}");
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    Some(unescaped(rest.split_once('"')?.0))
}

fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/")]
        .into_iter()
        .fold(text.to_owned(), |text, (entity, sign)| text.replace(entity, sign))
        .replace("&amp;", "&")
}

/// The page without its tags: what a person reads.
pub(crate) fn read(page: &Reply) -> String {
    let body = page.text().split_once("<body>").unwrap().1;
    let texts = body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    unescaped(&texts.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" "))
}
