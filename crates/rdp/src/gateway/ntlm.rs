//! NTLM as HTTP carries it (MS-NTHT): three messages, of which two are ours.

use crate::error::ConnectError;
use crate::handshake::chain;
use ironrdp_connector::sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialUse, DataRepresentation, Ntlm,
    SecurityBuffer, Sspi as _, SspiImpl as _, Username,
};
use secrecy::{ExposeSecret as _, SecretString};

pub(super) struct Exchange {
    ntlm: Ntlm,
    credentials: Option<AuthIdentityBuffers>,
}

fn failed(error: &dyn std::error::Error) -> ConnectError {
    ConnectError::GatewayRefused(format!("NTLM failed ({})", chain(error)))
}

impl Exchange {
    pub(super) fn new(user: &str, domain: Option<&str>, password: &SecretString) -> Result<Self, ConnectError> {
        let username = Username::new(user, domain).map_err(|error| failed(&error))?;
        let identity = AuthIdentity { username, password: password.expose_secret().to_owned().into() };
        let mut ntlm = Ntlm::new();
        let credentials = ntlm
            .acquire_credentials_handle()
            .with_credential_use(CredentialUse::Outbound)
            .with_auth_data(&identity)
            .execute(&mut ntlm)
            .map_err(|error| failed(&error))?
            .credentials_handle;
        Ok(Self { ntlm, credentials })
    }

    /// The next message, after the gateway's; `challenge` is empty for the first.
    pub(super) fn message(&mut self, challenge: &[u8]) -> Result<Vec<u8>, ConnectError> {
        let mut input = [SecurityBuffer::new(challenge.to_vec(), BufferType::Token)];
        let mut output = [SecurityBuffer::new(Vec::new(), BufferType::Token)];
        {
            let mut builder = self
                .ntlm
                .initialize_security_context()
                .with_credentials_handle(&mut self.credentials)
                .with_context_requirements(ClientRequestFlags::ALLOCATE_MEMORY | ClientRequestFlags::INTEGRITY)
                .with_target_data_representation(DataRepresentation::Native)
                .with_input(&mut input)
                .with_output(&mut output);
            let mut generator =
                self.ntlm.initialize_security_context_impl(&mut builder).map_err(|error| failed(&error))?;
            generator.resolve_to_result().map_err(|error| failed(&error))?;
        }
        let [token] = &mut output;
        Ok(std::mem::take(&mut token.buffer))
    }
}
