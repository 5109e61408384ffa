//! Who signs in, and as what.

use crate::{IpmiError, PASSWORD_BYTES_MAX, USER_BYTES_MAX};
use secrecy::{ExposeSecret as _, SecretString};

/// An account of a BMC.
#[derive(Clone, Debug)]
pub struct Account {
    pub user: String,
    pub password: SecretString,
}

impl Account {
    pub(crate) fn check(&self) -> Result<(), IpmiError> {
        let (user, password) = (self.user.as_bytes(), self.password.expose_secret().as_bytes());
        if user.is_empty() || user.len() > USER_BYTES_MAX || user.contains(&0) {
            return Err(IpmiError::BadAccount(
                "an account of IPMI has a name of 1 to 16 bytes; enter the one that the BMC knows",
            ));
        }
        if password.is_empty() || password.len() > PASSWORD_BYTES_MAX || password.contains(&0) {
            return Err(IpmiError::BadAccount(
                "an account of IPMI has a password of 1 to 20 bytes; set such a one in the BMC, and enter it",
            ));
        }
        Ok(())
    }
}

/// What an account acts as: privilege levels of 6.8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Power, boot and what is known of the machine.
    Operator,
    /// Many BMCs give their console to administrators alone.
    Administrator,
}

impl Role {
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Operator => 3,
            Self::Administrator => 4,
        }
    }

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        }
    }
}
