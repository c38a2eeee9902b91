//! `drive` and `run` over TLS, against servers of rustls whose certificates are made here.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::version::{TLS12, TLS13};
use rustls::{HandshakeKind, RootCertStore, ServerConfig, ServerConnection, StreamOwned};
use rustls::{ProtocolVersion, SupportedProtocolVersion};
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

    fn key(&self, name: &str) -> PrivateKeyDer<'static> {
        PrivateKeyDer::from_pem_file(self.file(&format!("{name}.key"))).unwrap()
    }

    /// Of a server that shows the certificate `name` and signs with the key of `other`, in one version.
    fn config_with_key_of(
        &self,
        (name, other): (&str, &str),
        version: &'static SupportedProtocolVersion,
    ) -> ServerConfig {
        let key = rustls::crypto::ring::sign::any_supported_type(&self.key(other)).unwrap();
        let shown = SingleCertAndKey::from(CertifiedKey::new(self.chain(name), key));
        ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(shown))
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
        builder.with_single_cert(self.chain(name), self.key(name)).unwrap()
    }
}

/// What a server has seen.
#[derive(Default)]
struct Seen {
    names: BTreeMap<String, u32>,
    version: Option<ProtocolVersion>,
    full: u32,
    resumed: u32,
    bytes: usize,
}

/// Answers each request with a body of `size` bytes; `closes` ends a connection after each, in good order.
fn serve(config: ServerConfig, size: usize, closes: bool) -> (u16, Arc<Mutex<Seen>>) {
    serve_late(config, size, closes, Duration::ZERO)
}

/// The same; each handshake waits so long.
fn serve_late(
    config: ServerConfig,
    size: usize,
    closes: bool,
    wait: Duration,
) -> (u16, Arc<Mutex<Seen>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (config, seen) = (Arc::new(config), Arc::new(Mutex::new(Seen::default())));
    let all = seen.clone();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (config, seen) = (config.clone(), all.clone());
            thread::spawn(move || {
                thread::sleep(wait);
                attend(stream.unwrap(), config, &seen, size, closes)
            });
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
            seen.version = tls.conn.protocol_version();
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
fn the_time_of_a_handshake_is_that_of_no_connect_and_no_request() {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    let wait = Duration::from_millis(300);
    let (port, _) = serve_late(authority.config("server", false), 2, false, wait);
    let ca = authority.file("ca.pem");
    let trial = trial(&format!("https://localhost:{port}/"), &["--cacert", &ca]);
    let mean = |part: &str| trial[part]["mean"].as_f64().unwrap() / 1e6;
    // The server's wait begins a little before the handshake, when it accepts.
    assert!(mean("handshake_ns") >= 250.0, "{}", trial["handshake_ns"]);
    assert!(mean("connect_ns") < 250.0, "{}", trial["connect_ns"]);
    assert!(mean("service_ns") < 250.0, "{}", trial["service_ns"]);
}

#[test]
fn a_server_that_says_nothing_in_its_handshake_is_given_up() {
    // It accepts, by its backlog.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", silent.local_addr().unwrap());
    let text = told(&drive(&url, &["--insecure", "--timeout", "300ms"]));
    assert!(text.contains("accepted no connection within 300 ms"), "{text}");
}

#[test]
fn both_versions_are_spoken_and_a_server_needs_the_key_of_its_certificate() {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    authority.issue("other", &["localhost"]);
    let ca = authority.file("ca.pem");
    for version in [&TLS12, &TLS13] {
        let config = authority.config_with_key_of(("server", "server"), version);
        let (port, seen) = serve(config, 20_000, false);
        let trial = trial(&format!("https://localhost:{port}/"), &["--cacert", &ca]);
        assert_eq!(trial["errors"], serde_json::json!({}), "{version:?}: {trial}");
        assert_eq!(seen.lock().unwrap().version, Some(version.version));
        // Any certificate will do with --insecure, but its key must sign.
        let config = authority.config_with_key_of(("server", "other"), version);
        let (port, _) = serve(config, 2, false);
        for trust in [&["--cacert", ca.as_str()][..], &["--insecure"]] {
            let text = told(&drive(&format!("https://localhost:{port}/"), trust));
            let why = "it does not have the key of its certificate";
            assert!(text.contains(why), "{version:?}: {text}");
        }
    }
}

#[test]
fn the_authorities_of_the_system_are_trusted_if_none_is_named() {
    let authority = Authority::new();
    authority.issue("server", &["localhost"]);
    let (port, _) = serve(authority.config("server", false), 2, false);
    let with = |list: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bakeoff"));
        command.args(["drive", &format!("https://localhost:{port}/"), "--format", "json"]);
        command.args(LOAD).env("SSL_CERT_FILE", list).output().unwrap()
    };
    let known: Value = serde_json::from_slice(&with(&authority.file("ca.pem")).stdout).unwrap();
    assert_eq!(
        (&known["errors"], &known["load"]["tls"]),
        (&serde_json::json!({}), &"verified".into())
    );
    let other = Authority::new();
    let text = told(&with(&other.file("ca.pem")));
    assert!(text.contains("authority that is not trusted"), "{text}");
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
    let [hgrm, metrics] = ["times.hgrm", "metrics.txt"].map(|name| authority.file(name));
    let files = ["--force", "--hgrm", hgrm.as_str(), "--metrics", metrics.as_str()];
    for format in ["text", "markdown"] {
        let flags = [&["--insecure", "--format", format][..], &files].concat();
        let text = String::from_utf8(drive(&url, &flags).stdout).unwrap();
        assert!(text.contains("certificate NOT verified (--insecure)"), "{text}");
    }
    let [hgrm, metrics] = [hgrm, metrics].map(|path| fs::read_to_string(path).unwrap());
    assert!(hgrm.contains("certificate NOT verified (insecure)"), "{hgrm}");
    assert!(metrics.contains(",tls=\"insecure\"}"), "{metrics}");
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
    // So is the very certificate that is given.
    let wrong = told(&drive(&url, &["--cacert", &authority.file("server.pem")]));
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

/// What nginx answers to plain HTTP on a port of TLS.
const NGINX: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 96\r\nconnection: close\r\n\r\n\
    <html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port</title></head>\r\n</html>\r\n";

/// Reads once from each connection, writes this and closes it.
fn plain(answer: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer);
        }
    });
    port
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
    let plain_port = plain(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n");
    let text = told(&drive(&format!("https://localhost:{plain_port}/"), &["--cacert", &ca]));
    assert!(text.contains("does not speak TLS on this port") && text.contains("http://"), "{text}");
    // And the other way round.
    let (port, _) = serve(authority.config("server", false), 2, false);
    let output = drive(&format!("http://localhost:{port}/"), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("it is a record of TLS: the server speaks HTTPS here"), "{text}");
    let nginx = plain(NGINX);
    let output = drive(&format!("http://localhost:{nginx}/"), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("400: 400 The plain HTTP request was sent to HTTPS port"), "{text}");
}

#[test]
fn a_server_of_http_2_without_tls_is_told_if_it_speaks_first_or_not() {
    const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";
    let waits = plain(SETTINGS);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let begins = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || {
                let _ = stream.write_all(SETTINGS);
                let _ = stream.read(&mut [0; 4096]);
            });
        }
    });
    for port in [waits, begins] {
        let output = drive(&format!("http://localhost:{port}/"), &[]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("malformed: it is an HTTP/2 frame: the server does not"), "{text}");
    }
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
