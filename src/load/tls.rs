//! How TLS is spoken to a server: whom it must be, who we are, and what a failed handshake means. rustls, by `ring`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct,
    RootCertStore, SignatureScheme,
};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::files;

/// No file of certificates is longer.
const PEM_BYTES_MAX: u64 = 16 << 20;
/// Sessions that a sending thread keeps to resume.
const SESSIONS: usize = 256;
/// Where systems keep the authorities that they trust, and which variable says another place.
const SYSTEM: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];
const SYSTEM_VARIABLE: &str = "SSL_CERT_FILE";

/// Settings of TLS, as flags and scenario files give them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsOptions {
    /// PEM file of authorities to trust instead of the system's, or of the server's own certificate.
    pub cacert: Option<PathBuf>,
    /// Whether any certificate will do.
    pub insecure: bool,
    /// PEM files of the client's certificate, with its chain, and of its key.
    pub client: Option<(PathBuf, PathBuf)>,
    /// Whether every connection makes a full handshake.
    pub no_resumption: bool,
}

/// TLS to one server.
#[derive(Clone)]
pub struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    options: TlsOptions,
    /// Of the contents of the files.
    digest: String,
}

impl Tls {
    /// `host` is the value of the `host` header: the certificate must be of that name, and SNI sends it.
    ///
    /// # Errors
    /// Usage: a file that cannot be read, or a host that is none.
    pub fn new(options: TlsOptions, host: &str) -> Result<Self> {
        let name = name_of(host);
        let name = ServerName::try_from(name.clone())
            .map_err(|_| Error::usage(format!("`{name}` is not a host name for TLS")))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut hash = Sha256::new();
        let trusted = match options.insecure {
            true => None,
            false => Some(Trusted::read(options.cacert.as_deref(), &provider, &mut hash)?),
        };
        let verifier = Verifier { trusted, provider: provider.clone() };
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| Error::internal(error.to_string()))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
        let mut config = match &options.client {
            None => builder.with_no_client_auth(),
            Some((cert, key)) => {
                let chain = certificates(cert, &mut hash)?;
                let pem = read(key, &mut hash)?;
                let key_der = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| {
                    Error::usage(format!("{} has no private key in PEM", key.display()))
                })?;
                builder.with_client_auth_cert(chain, key_der).map_err(|error| {
                    Error::usage(format!("the client certificate cannot be used: {error}"))
                        .help("the key must belong to the first certificate of the file")
                })?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let digest = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { config: Arc::new(config), name, options, digest })
    }

    /// Whether any certificate is accepted.
    pub fn is_insecure(&self) -> bool {
        self.options.insecure
    }

    /// With no session to resume yet: what one trial has learned is of no use to the next one's server.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        let mut config = (*self.config).clone();
        config.resumption = match self.options.no_resumption {
            true => Resumption::disabled(),
            false => Resumption::in_memory_sessions(SESSIONS),
        };
        Arc::new(config)
    }

    pub(crate) fn session(
        &self,
        config: &Arc<ClientConfig>,
    ) -> std::result::Result<ClientConnection, rustls::Error> {
        let mut session = ClientConnection::new(config.clone(), self.name.clone())?;
        // A body is encrypted before the instant of its write, however long it is.
        session.set_buffer_limit(None);
        Ok(session)
    }
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, &self.options, &self.digest) == (&other.name, &other.options, &other.digest)
    }
}

/// A scenario's fingerprint is made of what this prints.
impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tls({:?}, {:?}, {})", self.name, self.options, self.digest)
    }
}

/// `localhost` of `localhost:8443`, `::1` of `[::1]:8443`
fn name_of(host: &str) -> String {
    let host = match host.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => name,
        _ => host,
    };
    host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_owned()
}

fn read(path: &Path, hash: &mut Sha256) -> Result<Vec<u8>> {
    let bytes = files::read(path, PEM_BYTES_MAX)
        .map_err(|error| Error::usage(format!("cannot read {}: {error}", path.display())))?;
    hash.update(&bytes);
    Ok(bytes)
}

fn certificates(path: &Path, hash: &mut Sha256) -> Result<Vec<CertificateDer<'static>>> {
    let bytes = read(path, hash)?;
    let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    all.ok()
        .filter(|all| !all.is_empty())
        .ok_or_else(|| Error::usage(format!("{} has no certificate in PEM", path.display())))
}

/// Accepts what an authority has issued, and the very certificates that are given: a self-signed one too is often marked as
/// an authority's, which no server's may be.
#[derive(Debug)]
struct Trusted {
    given: Vec<CertificateDer<'static>>,
    issued: Arc<WebPkiServerVerifier>,
}

impl Trusted {
    fn read(
        cacert: Option<&Path>,
        provider: &Arc<CryptoProvider>,
        hash: &mut Sha256,
    ) -> Result<Self> {
        let given = cacert.map(|path| certificates(path, hash)).transpose()?.unwrap_or_default();
        let mut roots = RootCertStore::empty();
        match cacert {
            Some(_) => roots.add_parsable_certificates(given.clone()),
            None => roots.add_parsable_certificates(system()?),
        };
        let issued = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let issued = issued.build().map_err(|error| {
            Error::usage(format!("no certificate authority can be used: {error}"))
        })?;
        Ok(Self { given, issued })
    }
}

/// The authorities that this machine trusts.
fn system() -> Result<Vec<CertificateDer<'static>>> {
    let named = std::env::var_os(SYSTEM_VARIABLE).map(PathBuf::from);
    let mut known = named.into_iter().chain(SYSTEM.iter().map(PathBuf::from));
    let found = known.find(|path| path.is_file()).ok_or_else(|| {
        Error::usage("this machine has no list of certificate authorities")
            .help("give the server's own with --cacert FILE (cacert), or --insecure (insecure)")
    })?;
    // What the machine trusts is no part of a scenario.
    certificates(&found, &mut Sha256::new())
}

/// Whoever the server may be, its key must sign the handshake.
#[derive(Debug)]
struct Verifier {
    /// Nothing where any certificate will do.
    trusted: Option<Trusted>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let Some(Trusted { given, issued }) = &self.trusted else {
            return Ok(ServerCertVerified::assertion());
        };
        if given.iter().any(|given| given.as_ref() == end.as_ref()) {
            verify_server_name(&ParsedCertificate::try_from(end)?, name)?;
            return Ok(ServerCertVerified::assertion());
        }
        issued.verify_server_cert(end, between, name, stapled, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, algorithms).map_err(of_signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, algorithms).map_err(of_signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A wrong signature of the handshake, distinguished from one of the certificate: no option accepts it.
fn of_signature(error: rustls::Error) -> rustls::Error {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
            rustls::Error::General("it does not have the key of its certificate".into())
        }
        error => error,
    }
}

/// Why a handshake failed, and what to do: one line each.
pub(crate) fn told(error: &std::io::Error) -> (String, &'static str) {
    let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref()) else {
        return match error.kind() {
            std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => {
                ("it closes the connection during the TLS handshake".into(), PLAIN)
            }
            _ => (format!("the TLS handshake failed: {error}"), LOGS),
        };
    };
    match error {
        rustls::Error::InvalidMessage(_) => ("it does not speak TLS on this port".into(), PLAIN),
        rustls::Error::General(why) => (why.clone(), LOGS),
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => (
            "it does not speak HTTP/1.1 over TLS (ALPN), like a server of HTTP/2 only".into(),
            "bakeoff sends HTTP/1.1: switch it on in the server",
        ),
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA,
        ) => (
            format!("it refuses the client's certificate: {error}"),
            "give one that it trusts with --cert FILE --key FILE (cert, key)",
        ),
        // Another authority of the same name has another key.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => (
            "its certificate is of an authority that is not trusted".into(),
            "give that authority with --cacert FILE (cacert), or accept any with --insecure (insecure)",
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => (
            format!("its certificate is of another name: {error}"),
            "name the host as the certificate does, with --header 'host: NAME' (headers), or --insecure",
        ),
        error => (format!("the TLS handshake failed: {error}"), LOGS),
    }
}

const PLAIN: &str =
    "where it speaks plain HTTP write http:// (a contender: leave out `tls`), or look at its port";
const LOGS: &str = "look at what the server logs";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_that_of_the_host_header() {
        for (host, name) in [
            ("localhost:8443", "localhost"),
            ("Shop.Example.", "Shop.Example"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("[::1]:8443", "::1"),
            ("[::1]", "::1"),
        ] {
            assert_eq!(name_of(host), name);
            assert!(ServerName::try_from(name_of(host)).is_ok());
        }
        let options = || TlsOptions { insecure: true, ..TlsOptions::default() };
        assert!(Tls::new(options(), "a b").is_err());
        let full = TlsOptions { no_resumption: true, ..options() };
        assert_ne!(Tls::new(options(), "a").unwrap(), Tls::new(full, "a").unwrap());
    }
}
