//! Being let in: messages in, bytes out, and no socket.

use std::fmt;

use bytes::BytesMut;
use postgres_protocol::authentication::{md5_hash, sasl};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

use super::{ConnectionError, Refusal, Server};

pub(crate) struct Login {
    user: String,
    password: Option<String>,
    scram: Option<sasl::ScramSha256>,
}

/// Passwords do not belong in logs.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

impl Login {
    pub(crate) fn begin(server: &Server, out: &mut BytesMut) -> Self {
        let Server { user, password, database, options, .. } = server;
        let parameters = [
            ("user", user.as_str()),
            ("database", database),
            ("options", options.as_deref().unwrap_or_default()),
            ("application_name", "bakeoff"),
            ("client_encoding", "UTF8"),
        ];
        let given = parameters.into_iter().filter(|(_, value)| !value.is_empty());
        frontend::startup_message(given, out).expect("a server's texts have no zero byte");
        Self { user: user.clone(), password: password.clone(), scram: None }
    }

    /// Says what the server wants to hear. Gives whether that was all, and questions may come.
    ///
    /// # Errors
    /// The server refuses the login, or asks for an unsupported authentication.
    pub(crate) fn hear(
        &mut self,
        message: &Message,
        out: &mut BytesMut,
    ) -> Result<bool, ConnectionError> {
        match message {
            Message::ReadyForQuery(_) => return Ok(true),
            Message::ErrorResponse(error) => {
                return Err(ConnectionError::Refused(Refusal::of(error)));
            }
            Message::AuthenticationCleartextPassword => {
                frontend::password_message(self.password()?, out)?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(self.user.as_bytes(), self.password()?, body.salt());
                frontend::password_message(hash.as_bytes(), out)?;
            }
            Message::AuthenticationSasl(_) => {
                let binding = sasl::ChannelBinding::unsupported();
                let scram = sasl::ScramSha256::new(self.password()?, binding);
                frontend::sasl_initial_response(sasl::SCRAM_SHA_256, scram.message(), out)?;
                self.scram = Some(scram);
            }
            Message::AuthenticationSaslContinue(body) => {
                let scram = self.scram()?;
                scram.update(body.data())?;
                frontend::sasl_response(scram.message(), out)?;
            }
            Message::AuthenticationSaslFinal(body) => self.scram()?.finish(body.data())?,
            Message::AuthenticationOk
            | Message::ParameterStatus(_)
            | Message::BackendKeyData(_)
            | Message::NoticeResponse(_) => {}
            _ => return Err(refused("the server asks for an unknown login")),
        }
        Ok(false)
    }

    fn password(&self) -> Result<&[u8], ConnectionError> {
        let missing = || refused("the server asks for a password and the URL has none");
        self.password.as_deref().map(str::as_bytes).ok_or_else(missing)
    }

    fn scram(&mut self) -> Result<&mut sasl::ScramSha256, ConnectionError> {
        self.scram
            .as_mut()
            .ok_or_else(|| refused("the server goes on with a login that none began"))
    }
}

fn refused(why: &str) -> ConnectionError {
    ConnectionError::Refused(Refusal { code: String::new(), said: why.into() })
}
