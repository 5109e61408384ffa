//! Why nobody was signed in with Kerberos.

/// Texts are for the person in front of the viewer: lowercase, no trailing period, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KerberosError {
    /// Nobody answers for the realm.
    #[error(
        "no KDC of {realm} answers ({why}); try again in a moment, or have an administrator check kerberos.realms in Oriel's configuration"
    )]
    NoKdc { realm: String, why: String },
    /// `KRB_AP_ERR_SKEW`.
    #[error(
        "the clocks of Oriel's machine and of the KDC of {realm} differ too much; have an administrator set both by the same time server (NTP)"
    )]
    Clock { realm: String },
    /// `KDC_ERR_C_PRINCIPAL_UNKNOWN`.
    #[error("{realm} knows no account {user}; check how the name and the domain are written")]
    NoAccount { realm: String, user: String },
    /// `KDC_ERR_PREAUTH_FAILED`.
    #[error("the password of {user} is not the one that {realm} has; enter it again, and mind capitals")]
    WrongPassword { realm: String, user: String },
    /// `KDC_ERR_KEY_EXPIRED`.
    #[error(
        "the password of {user} in {realm} has expired; change it on a machine of the domain, then enter the new one"
    )]
    PasswordExpired { realm: String, user: String },
    /// `KDC_ERR_CLIENT_REVOKED` and its neighbours.
    #[error(
        "{realm} has locked or disabled the account {user}, or lets it in at other times alone; ask its administrator"
    )]
    AccountLocked { realm: String, user: String },
    /// `KDC_ERR_S_PRINCIPAL_UNKNOWN`.
    #[error(
        "{realm} knows no service {service}; have an administrator enter the machine by the name that it has in the domain, or register that name there (setspn, kadmin)"
    )]
    NoService { realm: String, service: String },
    /// `KDC_ERR_ETYPE_NOSUPP`.
    #[error(
        "{realm} has no AES key for {user} or for {service}, and Oriel uses no weaker one; have the domain's administrator allow AES, and the password set anew"
    )]
    NoAes { realm: String, user: String, service: String },
    /// Any other of its errors (RFC 4120 §7.5.9).
    #[error("the KDC of {realm} refused with error {code} of RFC 4120; its log says why")]
    Refused { realm: String, code: u32 },
    /// An answer that is none to what was asked, or that the password does not open.
    #[error(
        "the KDC of {realm} answered what Oriel does not take ({why}); have its administrator see that {user} needs pre-authentication and has an AES key"
    )]
    Unclear { realm: String, user: String, why: String },
    /// It did not choose Kerberos, or hung up on it.
    #[error("the machine does not take Kerberos ({why}); have it join {realm}, or allow NTLM for it (authentication)")]
    NotTaken { realm: String, why: String },
    /// The ticket was there, and was not good for the machine.
    #[error(
        "the machine refused the ticket for {service} ({why}); check that its clock is right, and that it is {service} in its domain: join it anew, or renew its keytab"
    )]
    TicketRefused { service: String, why: String },
}

impl KerberosError {
    /// Whether it is about the way and not about the account: another way may lead in. A wrong password is not tried twice, as accounts are
    /// locked for that.
    pub const fn is_about_the_way(&self) -> bool {
        matches!(
            self,
            Self::NoKdc { .. }
                | Self::Clock { .. }
                | Self::NoService { .. }
                | Self::NoAes { .. }
                | Self::NotTaken { .. }
        )
    }

    /// Whether nobody was reached.
    pub const fn is_unreachable(&self) -> bool {
        matches!(self, Self::NoKdc { .. })
    }

    /// Whether the account is not let in.
    pub const fn is_about_the_account(&self) -> bool {
        matches!(
            self,
            Self::NoAccount { .. }
                | Self::WrongPassword { .. }
                | Self::PasswordExpired { .. }
                | Self::AccountLocked { .. }
        )
    }
}
