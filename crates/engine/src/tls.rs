//! TLS: whom to trust besides the system's authorities, and what went wrong, in words.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use jobwatch_core::connection::Failure;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError,
    SignatureScheme,
};
use rustls_platform_verifier::Verifier;

use crate::files;

/// A larger file is no list of certificates, in bytes.
const LARGEST: u64 = 16 << 20;

/// How to make a certificate that every program takes, for the name or address `host`.
fn recipe(host: &str) -> String {
    let kind = if host.parse::<std::net::IpAddr>().is_ok() { "IP" } else { "DNS" };
    format!(
        "openssl req -x509 -newkey rsa:2048 -nodes -days 365 -keyout key.pem -out cert.pem \
         -subj /CN={host} -addext subjectAltName={kind}:{host} \
         -addext basicConstraints=CA:FALSE"
    )
}

/// The certificates in a file that the user named: PEM, one or several, or a single one as DER.
///
/// # Errors
/// What is wrong with the file, in words for people.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let shown = path.display();
    let bytes = files::read(path, LARGEST).map_err(|error| {
        Failure::Tls(format!("the certificate file {shown} cannot be read: {error}"))
    })?;
    let none = |what: &str| {
        Failure::Tls(format!(
            "{shown} {what}; a file in PEM form has the line -----BEGIN CERTIFICATE-----"
        ))
    };
    // Every DER certificate begins with a long sequence, which no PEM text does.
    if bytes.starts_with(&[0x30, 0x82]) {
        let certificate = CertificateDer::from(bytes);
        return match ParsedCertificate::try_from(&certificate) {
            Ok(_) => Ok(vec![certificate]),
            Err(_) => Err(none("holds no certificate but something else in binary form")),
        };
    }
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) => Err(none("holds no certificate in PEM form")),
        Err(_) => Err(none("holds no certificate in PEM form that can be read")),
    }
}

/// The configuration that trusts the system's authorities and `given`.
///
/// # Errors
/// When the system has no authorities and none are given, or one that is given cannot be used.
pub(crate) fn config(given: Vec<CertificateDer<'static>>) -> Result<ClientConfig, Failure> {
    crate::install_tls();
    let provider = CryptoProvider::get_default()
        .cloned()
        .unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()));
    let failed = |error: Error| Failure::Tls(format!("the TLS set-up failed: {error}"));
    // One that cannot be an authority can still be the server's own, byte for byte.
    let authorities = given
        .iter()
        .filter(|certificate| rustls::RootCertStore::empty().add((*certificate).clone()).is_ok());
    let platform = Verifier::new_with_extra_roots(authorities.cloned(), provider.clone());
    let platform = platform.map_err(failed)?;
    let verifier = Arc::new(Trusting { platform, given, provider: provider.clone() });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?;
    let mut config =
        config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Trusts what the platform does, and a certificate that the user gave, even where it is marked as
/// an authority's: the usual one-line OpenSSL command makes such certificates, and curl and browsers
/// take them once they are trusted.
struct Trusting {
    platform: Verifier,
    given: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
}

impl fmt::Debug for Trusting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Trusting({} given)", self.given.len())
    }
}

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let checked = self.platform.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        match checked {
            // Its dates are looked at before what it is marked as, and the name is left to check.
            Err(error) if is_authority(&error) && self.given.contains(end_entity) => {
                let certificate = ParsedCertificate::try_from(end_entity)?;
                rustls::client::verify_server_name(&certificate, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            checked => checked,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Whether a server showed a certificate that is marked as an authority's.
pub(crate) fn is_authority(error: &Error) -> bool {
    matches!(error, Error::InvalidCertificate(CertificateError::Other(OtherError(cause)))
        if matches!(cause.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity)))
}

/// What `error` means for somebody who wants to reach `place` (host and port) as `host`; `given`
/// tells whether a certificate file is configured.
pub(crate) fn words(error: &Error, host: &str, place: &str, given: bool) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error, host, place, given),
        Error::InvalidMessage(_) => format!(
            "{place} does not speak TLS: use http:// or ws:// instead of https:// or wss://, or \
             another port"
        ),
        Error::AlertReceived(alert) => refused(*alert, place),
        Error::PeerIncompatible(_) => format!(
            "{place} speaks no version of TLS that is safe: it must offer TLS 1.2 or newer with \
             today's ciphers"
        ),
        Error::NoCertificatesPresented => format!("{place} showed no certificate"),
        _ => format!("the TLS connection to {place} failed"),
    }
}

fn certificate(error: &CertificateError, host: &str, place: &str, given: bool) -> String {
    let day = |time: UnixTime| {
        let second = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        jiff::Timestamp::from_second(second)
            .map_or_else(|_| "another day".to_owned(), |at| at.strftime("%-d %B %Y").to_string())
    };
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature if given => format!(
            "the certificate of {place} was signed by an authority that neither this computer nor \
             the certificate file of this server knows: give the file of the authority that \
             signed it"
        ),
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "this computer does not know the authority that signed the certificate of {place}; if \
             it is your own, give its PEM file in the server's settings"
        ),
        CertificateError::ExpiredContext { not_after, .. } => format!(
            "the certificate of {place} expired on {}: renew it, or set this computer's clock \
             right",
            day(*not_after)
        ),
        CertificateError::Expired => format!("the certificate of {place} has expired: renew it"),
        CertificateError::NotValidYetContext { not_before, .. } => format!(
            "the certificate of {place} is valid from {} only: set the clocks of this computer and \
             of the server right",
            day(*not_before)
        ),
        CertificateError::NotValidYet => format!("the certificate of {place} is not valid yet"),
        CertificateError::NotValidForNameContext { presented, .. } if presented.is_empty() => {
            format!(
                "the certificate of {place} names no host (it has no subjectAltName): make one \
                 that names {host}, with: {}",
                recipe(host)
            )
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            // `DnsName("a.example")`, `IpAddress(127.0.0.1)`
            let names: Vec<&str> = presented
                .iter()
                .map(|name| {
                    let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest);
                    inner.trim_end_matches(')').trim_matches('"')
                })
                .take(5)
                .collect();
            format!(
                "the certificate of {place} is made for {}, not for {host}: use one of these as \
                 the address, or make one that names {host}",
                names.join(", ")
            )
        }
        CertificateError::NotValidForName => format!(
            "the certificate of {place} does not name {host}: make one that does, with: {}",
            recipe(host)
        ),
        CertificateError::Revoked => format!("the certificate of {place} has been revoked"),
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            format!("the certificate of {place} is not made for a server")
        }
        CertificateError::Other(OtherError(cause)) => match cause.downcast_ref() {
            Some(webpki::Error::CaUsedAsEndEntity) if given => format!(
                "the certificate of {place} is marked as an authority's own and is not the one in \
                 this server's certificate file: give that very certificate, or make one with: {}",
                recipe(host)
            ),
            Some(webpki::Error::CaUsedAsEndEntity) => format!(
                "the certificate of {place} is signed by itself and marked as an authority's own; \
                 if you trust it, give its PEM file in the server's settings"
            ),
            Some(webpki::Error::UnsupportedCertVersion) => format!(
                "the certificate of {place} is of version 1, which is not used any more: make one \
                 with: {}",
                recipe(host)
            ),
            _ => unusable(host, place),
        },
        _ => unusable(host, place),
    }
}

fn unusable(host: &str, place: &str) -> String {
    format!("the certificate of {place} cannot be used; make one with: {}", recipe(host))
}

fn refused(alert: AlertDescription, place: &str) -> String {
    match alert {
        AlertDescription::CertificateRequired
        | AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied => format!(
            "{place} wants a certificate from whoever connects, which Jobwatch does not send"
        ),
        AlertDescription::UnrecognisedName => {
            format!("{place} has no certificate for this name: check the address")
        }
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => format!(
            "{place} speaks no version of TLS that is safe: it must offer TLS 1.2 or newer with \
             today's ciphers"
        ),
        _ => format!("{place} ended the TLS handshake"),
    }
}
