use std::sync::LazyLock;

use actix_web::{
    HttpResponse,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
};

use portcullis_kernel::TokenDigest;

use crate::kit::{Answer, Call, Refusal, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_show_asset, show_asset);
}

/// A file that pages ask for. Its name changes with its content, so that it can be kept for ever; it
/// is the same in every build with this content.
struct Asset {
    hash: String,
    ending: &'static str,
    media_type: &'static str,
    content: &'static str,
}

impl Asset {
    fn new(ending: &'static str, media_type: &'static str, content: &'static str) -> Self {
        let sha256 = TokenDigest::of(content);
        let first = sha256.as_bytes().iter().take(HASH_CHARS / 2);
        let hash = first.fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte));
        Self { hash: format!("{hash:016x}"), ending, media_type, content }
    }

    fn path(&self) -> String {
        format!("/assets/{}.{}", self.hash, self.ending)
    }

    /// How long the file may be kept under a name with this hash. Under another it is that of a build
    /// before or after this one, whose pages are answered too while servers are replaced one by one.
    fn caching(&self, hash: &str) -> &'static str {
        if hash == self.hash { "public, max-age=31536000, immutable" } else { "no-store" }
    }
}

/// Of a name, in hexadecimal.
const HASH_CHARS: usize = 16;

static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("css", "text/css; charset=utf-8", include_str!("style.css")));
static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("svg", "image/svg+xml", include_str!("icon.svg")));

/// Where the style sheet is.
pub(super) fn style_path() -> String {
    STYLE.path()
}

/// Where the icon is.
pub(super) fn icon_path() -> String {
    ICON.path()
}

/// A file that pages ask for: their style sheet or their icon. Not limited.
#[utoipa::path(get, path = "/assets/{file}", tag = "pages",
    params(("file" = String, Path, description = "Its name, which changes with its content.")),
    responses(
        (status = 200, description = "The file as it is now; under its own name it may be kept for ever."),
        (status = 404, description = "That is not the name of such a file, now or ever."),
    ))]
async fn show_asset(call: Call) -> Answer {
    call.quiet();
    let name = call.segment("file");
    let (hash, asset) = find(&name).ok_or_else(|| Refusal::from_status(StatusCode::NOT_FOUND))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, asset.media_type))
        .insert_header((CACHE_CONTROL, asset.caching(hash)))
        .body(asset.content))
}

/// The file of a name and the hash in it, which may be another build's.
fn find(name: &str) -> Option<(&str, &'static Asset)> {
    let (hash, ending) = name.split_once('.')?;
    let is_hash = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    if hash.len() != HASH_CHARS || !hash.bytes().all(is_hash) {
        return None;
    }
    let asset = [&*STYLE, &*ICON].into_iter().find(|asset| asset.ending == ending)?;
    Some((hash, asset))
}

#[cfg(test)]
mod tests {
    use super::Asset;

    #[test]
    fn a_name_tells_of_the_content_alone() {
        assert_eq!(Asset::new("css", "text/css", "abc").path(), "/assets/ba7816bf8f01cfea.css");
        assert_eq!(Asset::new("svg", "image/svg+xml", "").path(), "/assets/e3b0c44298fc1c14.svg");
    }
}
