//! Commands in guests, over SSH: as the account that their seed made, and only where they show the key that they were born with.

use async_trait::async_trait;
use oriel_broker::GuestCommands;
use oriel_compute::BoxStream;
use oriel_gateway::terminal::{Connection, Credentials, HostKeyPin, Key, SshOptions, ssh::SHELL_WINDOW_BYTES};
use oriel_machine::GuestIdentity;
use secrecy::{ExposeSecret, SecretString};

/// Of what a command writes.
const OUTPUT_BYTES_MAX: usize = 4096;
/// Of what it complains of, in a reason.
const COMPLAINT_CHARS_MAX: usize = 160;

pub struct OverSsh;

#[async_trait]
impl GuestCommands for OverSsh {
    /// The caller bounds the time.
    async fn run(
        &self,
        stream: BoxStream,
        identity: &GuestIdentity,
        command: &str,
        input: SecretString,
    ) -> Result<Vec<u8>, String> {
        let key = Key { private: identity.client_key.clone(), passphrase: None, certificate: None };
        let credentials = Credentials { user: identity.user.clone(), key: Some(key), password: None };
        let options = SshOptions::new(credentials, HostKeyPin::Known(identity.ssh_host_public.clone()));
        let connection =
            Connection::open(stream, &options, SHELL_WINDOW_BYTES).await.map_err(|error| error.to_string())?;
        let ran = connection.run(command, input.expose_secret().as_bytes().to_vec(), OUTPUT_BYTES_MAX).await;
        connection.close().await;
        let ran = ran.map_err(|error| error.to_string())?;
        if ran.code == Some(0) {
            return Ok(ran.output);
        }
        let complaints = String::from_utf8_lossy(&ran.complaints);
        let said: String = complaints.chars().filter(|c| !c.is_control()).take(COMPLAINT_CHARS_MAX).collect();
        let ended = ran.code.map_or_else(|| "was ended".to_owned(), |code| format!("ended with {code}"));
        Err(if said.is_empty() { format!("its command {ended}") } else { format!("its command {ended}: {said}") })
    }
}
