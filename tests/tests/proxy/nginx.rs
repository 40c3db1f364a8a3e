//! nginx as the origin, in front of which Floodwall stands most often.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
};

use floodwall_tests::{Client, Floodwall, Http2, Loopback, Request, eventually};

use crate::front;

/// A server of a few files; it ends with this.
struct Nginx {
    address: SocketAddr,
    process: Child,
    folder: std::path::PathBuf,
}

const TEXT_BYTES: usize = 100_000;

impl Nginx {
    fn start() -> Self {
        let address = Loopback::free();
        let folder = std::env::temp_dir().join(format!("floodwall-nginx-{}", address.port()));
        fs::create_dir_all(folder.join("html")).unwrap();
        fs::write(
            folder.join("html/text"),
            "0123456789".repeat(TEXT_BYTES / 10),
        )
        .unwrap();
        let conf = format!(
            "daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{}}
http {{
  access_log off; default_type text/plain;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  gzip on; gzip_types text/plain; gzip_min_length 1; gzip_proxied any; gzip_http_version 1.1;
  server {{
    listen {address};
    root html;
    add_header x-requests $connection_requests;
    location /echo {{ return 200 \"$request_method $http_x_forwarded_proto\\n\"; }}
  }}
}}
"
        );
        fs::write(folder.join("nginx.conf"), conf).unwrap();
        let process = Command::new("nginx")
            .arg("-p")
            .arg(&folder)
            .args(["-c", "nginx.conf", "-e", "stderr"])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        eventually!(TcpStream::connect(address).is_ok());
        Self {
            address,
            process,
            folder,
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn it_is_asked_over_one_connection_for_whatever_http_has() {
    let (web, nginx) = (Loopback::free(), Nginx::start());
    let plain = format!("address: {web}");
    let yaml = front(web, nginx.address)
        .with(&plain, plain.clone() + ", http2: true")
        .and("server: { threads: 1 }\n");
    let floodwall = Floodwall::start(&yaml);
    let mut client = Client::of(web).connect().unwrap();
    let whole = client.get("/text").unwrap();
    assert_eq!((whole.status, whole.body.len()), (200, TEXT_BYTES));
    // Compressed it has no length beforehand: it comes in chunks.
    let zipped = Request::get("/text").header("Accept-Encoding", "gzip");
    let zipped = client.send(&zipped).unwrap();
    assert_eq!(zipped.header("content-encoding"), Some("gzip"));
    assert_eq!(zipped.header("transfer-encoding"), Some("chunked"));
    assert!(zipped.body.len() < TEXT_BYTES / 10);
    let part = client
        .send(&Request::get("/text").header("Range", "bytes=5-7"))
        .unwrap();
    assert_eq!((part.status, part.body.as_str()), (206, "567"));
    let parts = client
        .send(&Request::get("/text").header("Range", "bytes=1-2,4-5"))
        .unwrap();
    assert_eq!(parts.status, 206);
    assert!(parts.body.contains("\r\n\r\n12\r\n") && parts.body.contains("\r\n\r\n45\r\n"));
    let tag = whole.header("etag").unwrap();
    let known = client
        .send(&Request::get("/text").header("If-None-Match", tag))
        .unwrap();
    assert_eq!(known.status, 304);
    let head = client.send(&Request::new("HEAD", "/text")).unwrap();
    assert_eq!(head.header("content-length"), Some("100000"));
    let post = client
        .send(&Request::new("POST", "/echo").body("x".repeat(100_000)))
        .unwrap();
    assert_eq!(post.body, "POST http\n");
    assert_eq!(client.get("/nothing").unwrap().status, 404);
    let last = Client::of(web).get("/text");
    assert_eq!(
        last.header("x-requests"),
        Some("9"),
        "all over one connection"
    );
    let mut client = Http2::connect(web).unwrap();
    assert_eq!(client.get("/text").unwrap().body.len(), TEXT_BYTES);
    let connections = floodwall.status()["upstreams"][0]["connections"].clone();
    assert_eq!(
        (&connections["opened"], &connections["reused"]),
        (&1.into(), &9.into())
    );
}
