use minijinja::context;

use crate::kit::{Answer, PageCall, Routes};

pub(super) fn mount(routes: &mut Routes) {
    routes.add(__path_index, index);
}

/// The front page: what this server is, and where to go on.
#[utoipa::path(get, path = "/", tag = "pages",
    responses((status = 200, description = "A page.", content_type = "text/html")))]
async fn index(page: PageCall) -> Answer {
    page.show("index.html", context! {})
}
