//! A page.

use std::{
    fs,
    path::Path,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use crate::{
    axe,
    cookie::Cookie,
    driver::Driver,
    element::Element,
    settings::{Scheme, Settings, Window},
    wire::{self, Refusal},
};

/// Longer than a page of ours takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);

/// A page in a browser of its own, which ends with this value.
#[derive(Debug)]
pub struct Page {
    driver: Arc<Driver>,
    /// The path of its WebDriver session.
    session: String,
    settings: Settings,
}

/// Going to places.
impl Page {
    #[track_caller]
    pub(crate) fn new(driver: Arc<Driver>, session: &Value, settings: Settings) -> Self {
        let id = session.get("sessionId").map(text_of).expect("a session has an id");
        let mut page = Self { driver, session: format!("/session/{id}"), settings };
        page.set_window(settings.window);
        page.set_scheme(settings.scheme);
        page.set_scripts(settings.scripts);
        page
    }

    /// Goes to a URL and waits until the page is loaded.
    #[track_caller]
    pub fn goto(&self, url: &str) {
        self.call("POST", "/url", Some(&json!({"url": url})));
    }

    /// Loads the page again.
    #[track_caller]
    pub fn reload(&self) {
        self.call("POST", "/refresh", Some(&json!({})));
    }

    /// Goes back, as the button of a browser does.
    #[track_caller]
    pub fn back(&self) {
        self.call("POST", "/back", Some(&json!({})));
    }

    /// Does what leads to another document, such as a click, and waits until that has come.
    ///
    /// The driver waits for a document that has begun to load, but a click is answered before that.
    #[track_caller]
    pub fn leave(&self, act: impl FnOnce()) {
        let root = self.find(":root");
        act();
        self.wait_for("another document", || (!root.is_here()).then_some(()));
    }

    /// Asks again and again until there is an answer.
    ///
    /// # Panics
    ///
    /// When there is none for 20 seconds.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = answer() {
                return found;
            }
            let is_late = Instant::now() > deadline;
            assert!(!is_late, "waited in vain for {what} at {}:\n{}", self.url(), self.source());
            thread::sleep(POLL);
        }
    }
}

/// Looking at what is there.
impl Page {
    /// The URL.
    #[track_caller]
    pub fn url(&self) -> String {
        text_of(&self.call("GET", "/url", None))
    }

    /// The title.
    #[track_caller]
    pub fn title(&self) -> String {
        text_of(&self.call("GET", "/title", None))
    }

    /// The document as HTML, as it is now.
    #[track_caller]
    pub fn source(&self) -> String {
        text_of(&self.call("GET", "/source", None))
    }

    /// The first element that a CSS selector finds; waits for it.
    #[track_caller]
    pub fn find(&self, css: &str) -> Element<'_> {
        self.wait_for(css, || self.find_all(css).into_iter().next())
    }

    /// The elements that a CSS selector finds now.
    #[track_caller]
    pub fn find_all(&self, css: &str) -> Vec<Element<'_>> {
        let body = json!({"using": "css selector", "value": css});
        let found = self.call("POST", "/elements", Some(&body));
        let references = found.as_array().into_iter().flatten();
        references.filter_map(|reference| Element::from_reference(self, reference)).collect()
    }

    /// Whether a CSS selector finds anything now.
    #[track_caller]
    pub fn has(&self, css: &str) -> bool {
        !self.find_all(css).is_empty()
    }

    /// The text of the first element that a CSS selector finds; waits for it.
    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        self.wait_for(css, || self.text_now(css))
    }

    /// The same without waiting, for [`wait_for`](Self::wait_for).
    #[track_caller]
    pub fn text_now(&self, css: &str) -> Option<String> {
        self.find_all(css).first()?.text_now()
    }

    /// The element that has the focus; the body where none has.
    #[track_caller]
    pub fn active(&self) -> Element<'_> {
        let reference = self.call("GET", "/element/active", None);
        Element::from_reference(self, &reference).expect("a reference to an element")
    }

    /// What the page, or the browser about it, has written to the console since this was last
    /// asked: refusals by a content security policy, for instance.
    #[track_caller]
    pub fn console(&self) -> Vec<String> {
        let entries = self.call("POST", "/se/log", Some(&json!({"type": "browser"})));
        let entries = entries.as_array().into_iter().flatten();
        entries.filter_map(|entry| entry.get("message").map(text_of)).collect()
    }

    /// The cookies of every host and path.
    #[track_caller]
    pub fn cookies(&self) -> Vec<Cookie> {
        let found = self.devtools("Network.getAllCookies", json!({}));
        let cookies = found.get("cookies").and_then(Value::as_array).into_iter().flatten();
        cookies.map(Cookie::from_devtools).collect()
    }

    /// The cookie of this name.
    #[track_caller]
    pub fn cookie(&self, name: &str) -> Option<Cookie> {
        self.cookies().into_iter().find(|cookie| cookie.name == name)
    }

    /// Forgets the cookies of this name.
    #[track_caller]
    pub fn delete_cookie(&self, name: &str) {
        for Cookie { name, domain, path, .. } in self.cookies().iter().filter(|c| c.name == name) {
            let cookie = json!({"name": name, "domain": domain, "path": path});
            self.devtools("Network.deleteCookies", cookie);
        }
    }
}

/// Judging what is there.
impl Page {
    /// The width and height of all that can be scrolled to, in CSS pixels: a page is too wide where
    /// the first exceeds the window's.
    #[track_caller]
    pub fn content_size(&self) -> (u64, u64) {
        let metrics = self.devtools("Page.getLayoutMetrics", json!({}));
        let side = |name: &str| {
            let length = metrics.get("cssContentSize").and_then(|size| size.get(name));
            length.and_then(Value::as_u64).expect("the size of a page")
        };
        (side("width"), side("height"))
    }

    /// The whole page as a PNG, one pixel for each CSS pixel.
    #[track_caller]
    pub fn screenshot(&self) -> Vec<u8> {
        let (width, height) = self.content_size();
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let wanted = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let picture = self.devtools("Page.captureScreenshot", wanted);
        let data = picture.get("data").map(text_of).unwrap_or_default();
        BASE64_STANDARD.decode(data).expect("a picture in base64")
    }

    /// Writes the whole page to a PNG file.
    #[track_caller]
    pub fn save_screenshot(&self, file: impl AsRef<Path>) {
        let file = file.as_ref();
        if let Err(error) = fs::write(file, self.screenshot()) {
            panic!("{}: {error}", file.display());
        }
    }

    /// What axe-core finds serious or critical: one line for each element, none for a page that
    /// everybody can use.
    ///
    /// It works with the page's scripts off and whatever the page's policy says of scripts. Where
    /// they are off they stay so for what the page has loaded.
    #[track_caller]
    pub fn axe(&self) -> Vec<String> {
        // With them off, no promise is ever kept.
        self.allow_scripts(true);
        let found = self.evaluate(&axe::expression());
        self.allow_scripts(self.settings.scripts);
        axe::lines(&found).expect("a list of lines")
    }

    /// The value of a JavaScript expression, or what it promises, as JSON.
    #[track_caller]
    pub fn evaluate(&self, expression: &str) -> Value {
        let body = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut outcome = self.devtools("Runtime.evaluate", body);
        if let Some(exception) = outcome.get("exceptionDetails") {
            panic!("the script failed: {exception}");
        }
        let value = outcome.get_mut("result").and_then(|result| result.get_mut("value"));
        value.map(Value::take).unwrap_or_default()
    }

    /// A command of the Chrome DevTools protocol.
    #[track_caller]
    pub fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({"cmd": command, "params": parameters});
        self.call("POST", "/goog/cdp/execute", Some(&body))
    }
}

/// Changing how it is shown.
impl Page {
    /// Shows pages in a window of this size.
    #[track_caller]
    pub fn set_window(&mut self, window: Window) {
        self.settings.window = window;
        self.devtools("Emulation.setDeviceMetricsOverride", window.metrics());
    }

    /// Prefers these colours.
    #[track_caller]
    pub fn set_scheme(&mut self, scheme: Scheme) {
        self.settings.scheme = scheme;
        self.devtools("Emulation.setEmulatedMedia", scheme.media());
    }

    /// Whether the scripts of the pages to come run.
    #[track_caller]
    pub fn set_scripts(&mut self, scripts: bool) {
        self.settings.scripts = scripts;
        self.allow_scripts(scripts);
    }

    /// A switch of the protocol: the headless shell has no settings for kinds of content.
    #[track_caller]
    fn allow_scripts(&self, allowed: bool) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": !allowed}));
    }

    /// A command of WebDriver on this session.
    #[track_caller]
    pub(crate) fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Value {
        match self.try_call(method, path, body) {
            Ok(value) => value,
            Err(refusal) => panic!("{method} {path}: {refusal}"),
        }
    }

    pub(crate) fn try_call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Refusal> {
        wire::call(self.driver.port, method, &format!("{}{path}", self.session), body)
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        // Whatever does not end now ends with the driver, and a destructor must not fail.
        let _ = self.try_call("DELETE", "", None);
    }
}

/// A text of an answer; empty for `null`.
pub(crate) fn text_of(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
