//! What can be read in the files of the database.

use portcullis_testkit::app::{PASSWORD, Stored, TestApp};
use serde_json::json;

/// Everything that is on disk.
fn files(app: &TestApp) -> Vec<Vec<u8>> {
    let directory = app.stored().directory().expect("SQLite");
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

#[actix_web::test]
async fn v11_c1_no_mailed_secret_can_be_read_in_the_files_of_the_database() {
    let app = TestApp::over(Stored::sqlite()).await;
    let client = app.client();
    let admin = app.admin("admin@example.com").await;
    let jane = app.client().register("jane@example.com").await;
    for path in ["/v1/auth/verify-email/resend", "/v1/auth/password/reset"] {
        let body = json!({ "email": "admin@example.com" });
        client.post(path).json(&body).await.expect(202);
    }
    let body = json!({ "email": "new@example.com", "password": PASSWORD });
    client.post("/v1/users/me/email").bearer(&jane.access).json(&body).await.expect(202);
    let body = json!({ "email": "guest@example.com" });
    let invite = client.post("/v1/admin/users/invite").bearer(&admin.access).json(&body);
    let invited = invite.await.expect(201).string("/invite_token");
    let waiting = files(&app);
    let mails = app.mails();
    let delivered = files(&app);
    let secrets: Vec<&str> = mails.iter().filter_map(|mail| mail.secret()).collect();
    assert!(secrets.len() >= 5 && secrets.contains(&invited.as_str()), "{secrets:?}");
    for secret in secrets {
        // Six digits are found in any file; what follows a prefix is not.
        let Some(text) = secret.get(4..).filter(|text| text.len() > 6) else { continue };
        for file in waiting.iter().chain(&delivered) {
            assert!(!file.windows(text.len()).any(|window| window == text.as_bytes()), "{secret}");
        }
    }
}
