//! The client of the guard's own, before real sockets.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, mpsc},
    thread,
};

use http::{Request, Response};
use portcullis_guard::{HttpsClient, MOST_BYTES, Transport as _, TransportError};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::net::TcpSocket;

/// Serves connections one after the other with this answer, and tells what was asked.
fn serve(answer: String, tls: Option<Arc<ServerConfig>>) -> (SocketAddr, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, asked) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let heard = match &tls {
                None => converse(stream, &answer),
                Some(tls) => {
                    let connection = ServerConnection::new(Arc::clone(tls)).unwrap();
                    converse(StreamOwned::new(connection, stream), &answer)
                }
            };
            if sender.send(heard).is_err() {
                return;
            }
        }
    });
    (address, asked)
}

/// A connection that breaks is the client's to tell of.
fn converse(mut stream: impl std::io::Read + std::io::Write, answer: &str) -> String {
    let (mut heard, mut chunk) = (Vec::new(), [0; 4096]);
    while !heard.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(0) | Err(_) => break,
            Ok(count) => heard.extend_from_slice(&chunk[..count]),
        }
    }
    let _ = stream.write_all(answer.as_bytes()).and_then(|()| stream.flush());
    String::from_utf8_lossy(&heard).into_owned()
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

async fn get(client: &HttpsClient, url: &str) -> Result<Response<Vec<u8>>, TransportError> {
    client.send(Request::get(url).body(Vec::new()).unwrap()).await
}

#[tokio::test]
async fn what_is_asked_and_answered_comes_through() {
    let (address, asked) = serve(ok("{}"), None);
    let request = Request::post(format!("http://{address}/oauth2/introspect"));
    let request = request.header("Authorization", "Basic x").body(b"token=x".to_vec()).unwrap();
    let answer = HttpsClient::new().unwrap().send(request).await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.body().as_slice()), (200, &b"{}"[..]));
    let heard = asked.recv().unwrap().to_lowercase();
    assert!(heard.starts_with("post /oauth2/introspect http/1.1\r\n"), "{heard}");
    assert!(heard.contains(&format!("host: {address}\r\n")), "{heard}");
    assert!(heard.contains("authorization: basic x\r\n"), "{heard}");
    assert!(heard.contains("content-length: 7\r\n"), "{heard}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, asked) = serve(ok("{}"), None);
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    );
    let (address, _) = serve(redirect, None);
    let answer = get(&HttpsClient::new().unwrap(), &format!("http://{address}/")).await.unwrap();
    assert_eq!(answer.status().as_u16(), 302);
    assert!(asked.try_recv().is_err(), "nobody came there");
}

#[tokio::test]
async fn no_answer_is_read_that_is_too_long() {
    let client = HttpsClient::new().unwrap();
    let (address, _) = serve(ok(&"x".repeat(MOST_BYTES)), None);
    let answer = get(&client, &format!("http://{address}/")).await.unwrap();
    assert_eq!(answer.body().len(), MOST_BYTES);
    let (address, _) = serve(ok(&"x".repeat(MOST_BYTES + 1)), None);
    assert!(get(&client, &format!("http://{address}/")).await.is_err());
    // Without a length, too.
    let endless = format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}", "x".repeat(200_000));
    let (address, _) = serve(endless, None);
    assert!(get(&client, &format!("http://{address}/")).await.is_err());
}

#[tokio::test]
async fn without_tls_it_goes_to_loopback_only() {
    let client = HttpsClient::new().unwrap();
    for url in ["http://192.0.2.1/", "http://auth.example/", "ftp://127.0.0.1/"] {
        let error = get(&client, url).await.unwrap_err();
        assert!(error.to_string().contains("loopback"), "{url}: {error}");
    }
}

#[tokio::test]
async fn nobody_there_is_an_error() {
    // A port that is taken, so that no other test gets it, and at which nobody listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let error = get(&HttpsClient::new().unwrap(), &format!("http://{address}/")).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "with its cause: {error}");
    let (address, _) = serve("no HTTP at all\r\n\r\n".to_owned(), None);
    assert!(get(&HttpsClient::new().unwrap(), &format!("http://{address}/")).await.is_err());
}

/// A certificate for a name, and a client that trusts it.
fn certificate(name: &str) -> (Arc<ServerConfig>, HttpsClient) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let certificate = CertificateDer::from(made.cert.der().to_vec());
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
    let server = server.with_single_cert(vec![certificate.clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let client = client.with_safe_default_protocol_versions().unwrap();
    let client = client.with_root_certificates(roots).with_no_client_auth();
    (Arc::new(server), HttpsClient::with_tls(client))
}

#[tokio::test]
async fn a_certificate_must_be_trusted_and_of_the_right_name() {
    let (server, client) = certificate("localhost");
    let (address, _) = serve(ok("{}"), Some(server));
    let url = format!("https://localhost:{}/", address.port());
    assert_eq!(get(&client, &url).await.unwrap().body(), b"{}");
    assert!(get(&HttpsClient::new().unwrap(), &url).await.is_err(), "not of a known authority");
    let (server, client) = certificate("auth.example");
    let (address, _) = serve(ok("{}"), Some(server));
    let url = format!("https://localhost:{}/", address.port());
    assert!(get(&client, &url).await.is_err(), "of another name");
}
