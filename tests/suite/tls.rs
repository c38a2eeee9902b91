//! `drive` and `run` over TLS, against servers of rustls whose certificates are made here.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

const LOAD: [&str; 10] = [
    "--rate",
    "200/s",
    "--duration",
    "500ms",
    "--arrivals",
    "constant",
    "--pace",
    "sleep",
    "--connections",
    "4",
];

/// A certificate authority, and what it issues, as PEM files of a folder.
struct Authority {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(BasicConstraints::Unconstrained);
        let cert = params.self_signed(&key).unwrap();
        fs::write(folder.path().join("ca.pem"), cert.pem()).unwrap();
        Self { folder, issuer: Issuer::new(params, key) }
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Writes `NAME.pem` and `NAME.key`, for these hosts.
    fn issue(&self, name: &str, hosts: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let cert = CertificateParams::new(hosts).unwrap().signed_by(&key, &self.issuer).unwrap();
        fs::write(self.file(&format!("{name}.pem")), cert.pem()).unwrap();
        fs::write(self.file(&format!("{name}.key")), key.serialize_pem()).unwrap();
    }

    fn chain(&self, name: &str) -> Vec<CertificateDer<'static>> {
        vec![CertificateDer::from_pem_file(self.file(&format!("{name}.pem"))).unwrap()]
    }

    /// Of a server that shows the certificate `name`; if `asks`, its clients have one too.
    fn config(&self, name: &str, asks: bool) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match asks {
            false => builder.with_no_client_auth(),
            true => {
                let mut roots = RootCertStore::empty();
                roots.add(self.chain("ca").remove(0)).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let key = PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).unwrap();
        builder.with_single_cert(self.chain(name), key).unwrap()
    }
}

/// What a server has seen.
#[derive(Default)]
struct Seen {
    names: BTreeMap<String, u32>,
    full: u32,
    resumed: u32,
    bytes: usize,
}

/// Answers each request with a body of `size` bytes; `closes` ends a connection after each, in good order.
fn serve(config: ServerConfig, size: usize, closes: bool) -> (u16, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (config, seen) = (Arc::new(config), Arc::new(Mutex::new(Seen::default())));
    let all = seen.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (config, seen) = (config.clone(), all.clone());
            thread::spawn(move || attend(stream.unwrap(), config, &seen, size, closes));
        }
    });
    (port, seen)
}

fn attend(
    stream: TcpStream,
    config: Arc<ServerConfig>,
    seen: &Mutex<Seen>,
    size: usize,
    closes: bool,
) -> Option<()> {
    stream.set_nodelay(true).unwrap();
    let session = ServerConnection::new(config).unwrap();
    let mut tls = StreamOwned::new(session, stream);
    let mut told = false;
    loop {
        let (mut request, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
        loop {
            if let Some(end) = request.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&request[..end]);
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                let length = length.map_or(0, |length| length.parse::<usize>().unwrap());
                if request.len() >= end + 4 + length {
                    break;
                }
            }
            match tls.read(&mut buffer) {
                Ok(0) | Err(_) => return None,
                Ok(count) => request.extend_from_slice(&buffer[..count]),
            }
        }
        let mut seen = seen.lock().unwrap();
        seen.bytes += request.len();
        if !std::mem::replace(&mut told, true) {
            let name = tls.conn.server_name().unwrap_or("none").to_owned();
            *seen.names.entry(name).or_default() += 1;
            match tls.conn.handshake_kind() {
                Some(HandshakeKind::Resumed) => seen.resumed += 1,
                _ => seen.full += 1,
            }
        }
        drop(seen);
        write!(tls, "HTTP/1.1 200 OK\r\ncontent-length: {size}\r\n\r\n").ok()?;
        tls.write_all(&vec![b'x'; size]).ok()?;
        if closes {
            tls.conn.send_close_notify();
            let _ = tls.flush();
            return None;
        }
    }
}

fn drive(url: &str, flags: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.arg("drive").arg(url).args(LOAD).args(flags).output().unwrap()
}

fn trial(url: &str, flags: &[&str]) -> Value {
    let output = drive(url, &[&["--format", "json"], flags].concat());
    let stderr = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {stderr}"))
}

fn told(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn https_is_measured_and_handshakes_have_a_histogram_of_their_own() {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    let (port, seen) = serve(authority.config("server", false), 20_000, false);
    let ca = authority.file("ca.pem");
    let trial = trial(&format!("https://localhost:{port}/x"), &["--cacert", &ca]);
    assert_eq!(trial["errors"], serde_json::json!({}), "{trial}");
    assert_eq!((&trial["requests"], &trial["load"]["tls"]), (&100.into(), &"verified".into()));
    assert_eq!(trial["handshake_ns"]["n"], 4);
    assert_eq!(trial["connect_ns"]["n"], 4);
    let mean = |part: &str| trial[part]["mean"].as_f64().unwrap();
    let parts = mean("service_ns") + mean("backlog_ns") + mean("generator_lag_ns");
    let whole = mean("response_ns");
    assert!((parts / whole - 1.0).abs() < 0.01, "{parts} of {whole}");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.names, BTreeMap::from([("localhost".to_owned(), 4)]));
}

#[test]
fn a_certificate_is_checked_unless_that_is_given_up_and_said() {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    let (port, _) = serve(authority.config("server", false), 2, false);
    let url = format!("https://localhost:{port}/");
    let other = Authority::new();
    let wrong = told(&drive(&url, &["--cacert", &other.file("ca.pem")]));
    assert!(
        wrong.contains("authority that is not trusted") && wrong.contains("--cacert"),
        "{wrong}"
    );
    // The very certificate of a server stands for itself.
    let own = trial(&url, &["--cacert", &authority.file("server.pem")]);
    assert_eq!(own["errors"], serde_json::json!({}));
    for format in ["text", "markdown"] {
        let output = drive(&url, &["--insecure", "--format", format]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("certificate NOT verified (--insecure)"), "{text}");
    }
    assert_eq!(trial(&url, &["--insecure"])["load"]["tls"], "insecure");
    let plain = told(&drive("http://localhost:1/", &["--insecure"]));
    assert!(plain.contains("is not https"), "{plain}");
}

#[test]
fn the_name_asked_for_is_that_of_the_host_header() {
    let authority = Authority::new();
    authority.issue("server", &["shop.test"]);
    let (port, seen) = serve(authority.config("server", false), 2, false);
    let (url, ca) = (format!("https://localhost:{port}/"), authority.file("ca.pem"));
    let wrong = told(&drive(&url, &["--cacert", &ca]));
    assert!(wrong.contains("its certificate is of another name"), "{wrong}");
    let right = trial(&url, &["--cacert", &ca, "--header", "host: shop.test"]);
    assert_eq!(right["errors"], serde_json::json!({}));
    assert_eq!(seen.lock().unwrap().names, BTreeMap::from([("shop.test".to_owned(), 4)]));
}

#[test]
fn a_client_has_a_certificate_where_it_is_asked_for_one() {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    authority.issue("me", &["me"]);
    let (port, _) = serve(authority.config("server", true), 2, false);
    let (url, ca) = (format!("https://localhost:{port}/"), authority.file("ca.pem"));
    let (cert, key) = (authority.file("me.pem"), authority.file("me.key"));
    let known = trial(&url, &["--cacert", &ca, "--cert", &cert, "--key", &key]);
    assert_eq!(known["errors"], serde_json::json!({}));
    // With TLS 1.3 a client learns only after its handshake that it is refused.
    let unknown = trial(&url, &["--cacert", &ca]);
    assert_eq!(unknown["achieved_rps"], 0.0);
    let mixed = told(&drive(&url, &["--cacert", &ca, "--cert", &cert, "--key", &cert]));
    assert!(mixed.contains("no private key in PEM"), "{mixed}");
}

#[test]
fn sessions_are_resumed_unless_they_are_not_to_be() {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    let ca = authority.file("ca.pem");
    for (resumption, any) in [("on", true), ("off", false)] {
        let (port, seen) = serve(authority.config("server", false), 2, false);
        let flags = ["--cacert", &ca, "--keepalive", "off", "--resumption", resumption];
        let trial = trial(&format!("https://localhost:{port}/"), &flags);
        assert_eq!(trial["errors"], serde_json::json!({}), "{trial}");
        assert_eq!(trial["handshake_ns"]["n"], 100);
        let seen = seen.lock().unwrap();
        assert_eq!(seen.resumed > 50, any, "{} full, {} resumed", seen.full, seen.resumed);
        assert!(any || seen.resumed == 0, "{} resumed", seen.resumed);
    }
}

#[test]
fn large_bodies_and_closes_in_good_order_are_no_failures() {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    let ca = authority.file("ca.pem");
    let body = authority.file("body");
    fs::write(&body, vec![b'y'; 1 << 20]).unwrap();
    let (port, seen) = serve(authority.config("server", false), 300_000, true);
    let flags = ["--cacert", &ca, "--rate", "20/s", "--body", &format!("@{body}")];
    let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
    command.args(["drive", &format!("https://localhost:{port}/"), "--duration", "500ms"]);
    let output =
        command.args(["--pace", "sleep", "--format", "json"]).args(flags).output().unwrap();
    let trial: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(trial["errors"], serde_json::json!({}), "{trial}");
    let requests = trial["requests"].as_u64().unwrap() as usize;
    assert!(seen.lock().unwrap().bytes >= requests << 20);
}

#[test]
fn the_wrong_protocol_is_told_in_one_line() {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    let ca = authority.file("ca.pem");
    let mut config = authority.config("server", false);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (h2, _) = serve(config, 2, false);
    let text = told(&drive(&format!("https://localhost:{h2}/"), &["--cacert", &ca]));
    assert!(
        text.contains("does not speak HTTP/1.1 over TLS (ALPN), like a server of HTTP/2 only"),
        "{text}"
    );
    // A plain port, by a server that answers in plain text.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let plain = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
        }
    });
    let text = told(&drive(&format!("https://localhost:{plain}/"), &["--cacert", &ca]));
    assert!(text.contains("does not speak TLS on this port") && text.contains("http://"), "{text}");
    // And the other way round.
    let (port, _) = serve(authority.config("server", false), 2, false);
    let output = drive(&format!("http://localhost:{port}/"), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("it is a record of TLS: the server speaks HTTPS here"), "{text}");
}

#[test]
fn a_contender_may_speak_tls() {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    let (port, _) = serve(authority.config("server", false), 2, false);
    let file = authority.file("own.toml");
    let scenario = |tls: &str| {
        format!(
            "schema = 1\nname = \"own\"\ntitle = \"Own\"\nworkload = \"http\"\nrounds = 1\n\
             experiment.compare.rates = [\"100/s\"]\n[[route]]\nname = \"r\"\npath = \"/\"\n\
             [contender.own]\nurl = \"https://localhost:{port}\"\nready = \"/healthz\"\n{tls}\n"
        )
    };
    let run = |tls: &str| {
        fs::write(&file, scenario(tls)).unwrap();
        let out = authority.file(&format!("out-{}", tls.len()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
        let output = command.args(["run", &file, "--smoke", "--out", &out]).output().unwrap();
        let result = fs::read_to_string(format!("{out}/result.json")).unwrap_or_default();
        (output, result)
    };
    let (output, result) = run("tls = { cacert = \"ca.pem\" }");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(result.contains("\"tls\": \"verified\""), "{result}");
    let (output, result) = run("tls = { insecure = true, resumption = false }");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(result.contains("the certificate of `own` is not verified"), "{result}");
}
