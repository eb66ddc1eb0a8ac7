//! Pages of a tiny server in the browser of this machine.

#![expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "helpers of tests")]

mod life;
mod server;

use std::fs;

use portcullis_testkit_browser::{Browser, Scheme, Settings, Window, keys};
use server::Server;

const WITHOUT_SCRIPTS: Settings =
    Settings { window: Window::DESKTOP, scripts: false, scheme: Scheme::Light };

#[test]
fn a_form_works_with_scripts_and_without() {
    let Some(browser) = Browser::for_tests() else { return };
    let server = Server::start();
    for scripts in [true, false] {
        let page = browser.open(Settings { scripts, ..Settings::default() });
        for round in 0..5 {
            page.goto(&server.url("/form"));
            assert_eq!(page.title(), "Form");
            assert_eq!(page.text("h1"), if scripts { "scripted" } else { "plain" });
            assert_eq!(page.has("noscript p"), !scripts);
            page.find("input").fill("gone");
            page.find("input").fill(&format!("Ada{round}"));
            assert_eq!(page.find("input").value(), format!("Ada{round}"));
            page.find("button").follow();
            assert_eq!(page.text("p"), format!("POST /form: name=Ada{round}"));
            assert_eq!(page.url(), server.url("/form"));
        }
        // Another host is another process of the browser.
        page.goto(&server.url("/form").replace("127.0.0.1", "localhost"));
        assert_eq!(page.text("h1"), if scripts { "scripted" } else { "plain" });
        page.find("a").follow();
        page.back();
        assert_eq!(page.text("h1"), if scripts { "scripted" } else { "plain" });
    }
}

#[test]
fn the_keyboard_reaches_what_it_should() {
    let Some(browser) = Browser::for_tests() else { return };
    let server = Server::start();
    let page = browser.open(WITHOUT_SCRIPTS);
    page.goto(&server.url("/form"));
    page.find("body").type_text(keys::TAB);
    assert_eq!(page.active().attribute("name").as_deref(), Some("name"));
    assert_eq!((page.active().label(), page.active().role()), ("Name".into(), "textbox".into()));
    page.leave(|| page.active().type_text(&format!("Ada{}", keys::ENTER)));
    assert_eq!(page.text("p"), "POST /form: name=Ada");
    assert_eq!(page.find_all("p").len(), 1);
    assert!(page.find("p").is_shown() && !page.source().contains("<form"));
}

#[test]
fn cookies_are_seen_whatever_scripts_see_and_can_be_forgotten() {
    let Some(browser) = Browser::for_tests() else { return };
    let server = Server::start();
    let (page, other) = (browser.open(Settings::default()), browser.open(WITHOUT_SCRIPTS));
    page.goto(&server.url("/cookies"));
    let cookie = page.cookie("hidden").expect("a cookie of another path");
    assert!(cookie.is_http_only && !cookie.is_secure);
    assert_eq!((cookie.value.as_str(), cookie.path.as_str()), ("a", "/else"));
    assert_eq!((cookie.same_site.as_deref(), cookie.expires), (Some("Strict"), None));
    assert!(page.cookie("open").unwrap().expires.is_some());
    assert_eq!(page.evaluate("document.cookie"), "open=b");
    assert_eq!(other.cookies(), []);
    page.delete_cookie("hidden");
    assert_eq!(page.cookies().len(), 1);
}

#[test]
fn a_page_is_as_wide_as_its_window_and_as_dark_as_is_preferred() {
    let Some(browser) = Browser::for_tests() else { return };
    let server = Server::start();
    let mut page = browser.open(Settings { window: Window::PHONE, ..WITHOUT_SCRIPTS });
    page.goto(&server.url("/form"));
    for (window, scheme, colour) in [
        (Window::PHONE, Scheme::Light, "rgb(255, 255, 255)"),
        (Window::PHONE, Scheme::Dark, "rgb(17, 17, 17)"),
        (Window::DESKTOP, Scheme::Dark, "rgb(17, 17, 17)"),
    ] {
        page.set_window(window);
        page.set_scheme(scheme);
        assert_eq!(page.evaluate("getComputedStyle(document.body).backgroundColor"), colour);
        page.reload();
        assert_eq!(page.evaluate("getComputedStyle(document.body).backgroundColor"), colour);
        assert_eq!(page.evaluate("innerWidth"), window.width);
        assert_eq!(page.evaluate("devicePixelRatio"), 1);
        // All of the page, of which the window shows a part.
        let (width, height) = page.content_size();
        assert_eq!(width, u64::from(window.width));
        assert!(height >= 2000, "{height}");
        assert_eq!(size_of_png(&page.screenshot()), (width, height));
    }
    page.set_window(Window::PHONE);
    page.goto(&server.url("/wide"));
    assert_eq!(page.content_size().0, 500);
    let file = browser.directory().join("wide.png");
    page.save_screenshot(&file);
    assert_eq!(size_of_png(&fs::read(file).unwrap()).0, 500);
}

/// The signature, then a chunk of 13 bytes that begins with width and height.
fn size_of_png(bytes: &[u8]) -> (u64, u64) {
    assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"));
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16).into(), number(20).into())
}

#[test]
fn serious_problems_are_found_under_a_strict_policy_and_without_scripts() {
    let Some(browser) = Browser::for_tests() else { return };
    let server = Server::start();
    for settings in [Settings::default(), WITHOUT_SCRIPTS] {
        let page = browser.open(settings);
        for path in ["/form", "/strict"] {
            page.goto(&server.url(path));
            assert_eq!(page.axe(), [""; 0], "{path}");
        }
        page.goto(&server.url("/bad"));
        let found = page.axe();
        for part in ["critical: ", "(label): input: <input name=\"q\">"] {
            assert!(found.iter().any(|line| line.contains(part)), "{found:?}");
        }
        for rule in ["(color-contrast): p: ", "(html-has-lang): html: "] {
            let is_serious = |line: &String| line.starts_with("serious: ") && line.contains(rule);
            assert!(found.iter().any(is_serious), "{found:?}");
        }
        // What was off is off again.
        page.goto(&server.url("/form"));
        assert_eq!(page.text("h1"), if settings.scripts { "scripted" } else { "plain" });
    }
}

#[test]
fn what_a_policy_refuses_is_told_and_nobody_else_is_reached() {
    let Some(browser) = Browser::for_tests() else { return };
    let server = Server::start();
    let page = browser.open(Settings::default());
    page.goto(&server.url("/form"));
    assert_eq!(page.console(), [""; 0]);
    page.goto(&server.url("/strict"));
    assert_eq!(page.text("h1"), "plain");
    let console = page.console();
    assert!(console.iter().any(|line| line.contains("Content Security Policy")), "{console:?}");
    page.goto(&server.url("/elsewhere"));
    let console = page.wait_for("a failure", || Some(page.console()).filter(|c| !c.is_empty()));
    assert!(console.iter().any(|line| line.contains("ERR_NAME_NOT_RESOLVED")), "{console:?}");
}
