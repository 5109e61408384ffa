//! The ways to sign in, their numbers, and which is taken when a server offers several.

use crate::{ConnectError, VncOptions};
use oriel_pin::HostPin;

/// A way to sign in. In the order in which they are preferred: encryption first, then proofs that hide the password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub enum Security {
    /// VeNCrypt: TLS with a certificate, then user and password.
    X509Plain,
    /// VeNCrypt: TLS with a certificate, then VNC authentication.
    X509Vnc,
    /// RSA-AES with SHA-256 and AES-256, the whole session encrypted.
    Ra2With256,
    /// RSA-AES with SHA-1 and AES-128, the whole session encrypted.
    Ra2,
    /// RSA-AES for the credentials alone.
    Ra2neWith256,
    Ra2ne,
    /// Apple Remote Desktop: Diffie-Hellman and AES for user and password.
    Ard,
    /// UltraVNC's Windows logon: Diffie-Hellman of 64 bits and DES, which hides little.
    MsLogonII,
    VncAuth,
    /// VeNCrypt: TLS with a certificate, then nothing.
    X509None,
    None,
    /// VeNCrypt: user and password without TLS.
    Plain,
    /// TightVNC's Unix login: user and password without encryption.
    UnixLogin,
}

pub(crate) mod kind {
    //! Security types (RFC 6143 §7.1.2 and the community's registry).
    pub(crate) const NONE: u8 = 1;
    pub(crate) const VNC: u8 = 2;
    pub(crate) const RA2: u8 = 5;
    pub(crate) const RA2NE: u8 = 6;
    pub(crate) const TIGHT: u8 = 16;
    pub(crate) const VENCRYPT: u8 = 19;
    pub(crate) const ARD: u8 = 30;
    pub(crate) const MS_LOGON_II: u8 = 113;
    pub(crate) const RA2_256: u8 = 129;
    pub(crate) const RA2NE_256: u8 = 130;
}

impl Security {
    const ALL: [Self; 13] = [
        Self::X509Plain,
        Self::X509Vnc,
        Self::Ra2With256,
        Self::Ra2,
        Self::Ra2neWith256,
        Self::Ra2ne,
        Self::Ard,
        Self::MsLogonII,
        Self::VncAuth,
        Self::X509None,
        Self::None,
        Self::Plain,
        Self::UnixLogin,
    ];

    /// Whoever can read the network reads the password.
    pub const fn sends_password_in_clear(self) -> bool {
        matches!(self, Self::Plain | Self::UnixLogin)
    }

    /// The server proves who it is, and the session cannot be taken over afterwards.
    pub const fn proves_identity(self) -> bool {
        matches!(self, Self::X509Plain | Self::X509Vnc | Self::X509None | Self::Ra2With256 | Self::Ra2)
    }

    const fn needs_user(self) -> bool {
        matches!(self, Self::X509Plain | Self::Ard | Self::MsLogonII | Self::Plain | Self::UnixLogin)
    }

    const fn needs_password(self) -> bool {
        !matches!(self, Self::X509None | Self::None)
    }

    /// The type in the first list; none for what is reached inside VeNCrypt or Tight only.
    pub(crate) const fn outer(self) -> Option<u8> {
        Some(match self {
            Self::None => kind::NONE,
            Self::VncAuth => kind::VNC,
            Self::Ra2 => kind::RA2,
            Self::Ra2ne => kind::RA2NE,
            Self::Ra2With256 => kind::RA2_256,
            Self::Ra2neWith256 => kind::RA2NE_256,
            Self::Ard => kind::ARD,
            Self::MsLogonII => kind::MS_LOGON_II,
            Self::X509Plain | Self::X509Vnc | Self::X509None | Self::Plain | Self::UnixLogin => return None,
        })
    }

    /// The number inside VeNCrypt.
    const fn vencrypt(self) -> Option<u32> {
        Some(match self {
            Self::Plain => 256,
            Self::X509None => 260,
            Self::X509Vnc => 261,
            Self::X509Plain => 262,
            _ => return None,
        })
    }

    /// The number inside Tight.
    const fn tight(self) -> Option<u32> {
        Some(match self {
            Self::None => 1,
            Self::VncAuth => 2,
            Self::UnixLogin => 129,
            _ => return None,
        })
    }
}

/// What we take from a server's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    Direct(Security),
    /// Its own list follows; `others`: something else in this list would do too.
    VeNCrypt {
        others: bool,
    },
    Tight,
}

fn fits(options: &VncOptions, security: Security) -> bool {
    options.security.allows(security) && (options.pin == HostPin::FirstUse || security.proves_identity())
}

/// Why a fitting way cannot be taken.
fn lacks(options: &VncOptions, security: Security) -> Option<ConnectError> {
    if security.needs_user() && options.user.is_none() {
        Some(ConnectError::UserRequired)
    } else if security.needs_password() && options.password.is_none() {
        Some(ConnectError::PasswordRequired)
    } else {
        None
    }
}

/// The best of what fits, or why there is none.
fn best(
    options: &VncOptions,
    offered: impl Fn(Security) -> bool,
    names: impl FnOnce() -> String,
) -> Result<Security, ConnectError> {
    let mut lack = None;
    let mut refused = false;
    for security in Security::ALL.into_iter().filter(|security| offered(*security)) {
        if !fits(options, security) {
            refused = true;
            continue;
        }
        match lacks(options, security) {
            None => return Ok(security),
            Some(error) => lack = Some(error),
        }
    }
    // A password that is missing comes before a user that is missing: more servers can do without the latter.
    if let Some(lack) = lack {
        return Err(lack);
    }
    if refused && matches!(options.pin, HostPin::Sha256(_)) {
        return Err(ConnectError::IdentityMissing { offered: names() });
    }
    Err(ConnectError::SecurityUnsupported { offered: names() })
}

/// Chooses from a server's first list.
pub(crate) fn outer(options: &VncOptions, offered: &[u8]) -> Result<Choice, ConnectError> {
    let direct =
        best(options, |security| security.outer().is_some_and(|number| offered.contains(&number)), || names(offered));
    let inside_vencrypt = |security: &Security| {
        security.vencrypt().is_some() && fits(options, *security) && lacks(options, *security).is_none()
    };
    if offered.contains(&kind::VENCRYPT)
        && !options.without_vencrypt
        && let Some(hope) = Security::ALL.into_iter().find(inside_vencrypt)
        // Without a certificate in sight of a password, a direct way that checks the password is as good.
        && (direct.is_err() || hope <= Security::X509None)
    {
        return Ok(Choice::VeNCrypt { others: direct.is_ok() });
    }
    match direct {
        Ok(security) => Ok(Choice::Direct(security)),
        Err(ConnectError::SecurityUnsupported { .. }) if offered.contains(&kind::TIGHT) => Ok(Choice::Tight),
        Err(error) => Err(error),
    }
}

/// Chooses from VeNCrypt's list; `others`: the first list had something else.
pub(crate) fn vencrypt(options: &VncOptions, offered: &[u32], others: bool) -> Result<(Security, u32), ConnectError> {
    let names = || vencrypt_names(offered);
    let found = best(options, |security| security.vencrypt().is_some_and(|number| offered.contains(&number)), names);
    match found {
        Ok(security) => Ok((security, security.vencrypt().unwrap_or_default())),
        Err(_) if others => Err(ConnectError::VeNCryptUnusable { offered: names(), others }),
        Err(ConnectError::SecurityUnsupported { .. } | ConnectError::IdentityMissing { .. })
            if offered.iter().any(|number| (257..=259).contains(number)) =>
        {
            Err(ConnectError::VeNCryptUnusable { offered: names(), others })
        }
        Err(error) => Err(error),
    }
}

/// Chooses from Tight's list of authentications.
pub(crate) fn tight(options: &VncOptions, offered: &[u32]) -> Result<(Security, u32), ConnectError> {
    let names = || {
        let names: Vec<String> = offered.iter().map(|number| format!("Tight authentication {number}")).collect();
        names.join(", ")
    };
    let security = best(options, |security| security.tight().is_some_and(|number| offered.contains(&number)), names)?;
    Ok((security, security.tight().unwrap_or_default()))
}

fn names(offered: &[u8]) -> String {
    let mut names: Vec<String> = offered
        .iter()
        .map(|number| match *number {
            kind::NONE => String::from("no authentication"),
            kind::VNC => String::from("VNC authentication"),
            kind::RA2 | kind::RA2NE | kind::RA2_256 | kind::RA2NE_256 => String::from("RSA-AES"),
            13 | 131..=133 => String::from("RealVNC's two-step RSA-AES"),
            kind::TIGHT => String::from("Tight"),
            17 => String::from("Ultra"),
            18 => String::from("anonymous TLS"),
            kind::VENCRYPT => String::from("VeNCrypt (TLS)"),
            20 => String::from("SASL"),
            kind::ARD => String::from("Apple's login"),
            33 | 35 | 36 => String::from("Apple's Kerberos or secure remote password"),
            112 | kind::MS_LOGON_II => String::from("Microsoft logon"),
            other => format!("security type {other}"),
        })
        .collect();
    names.dedup();
    names.join(", ")
}

fn vencrypt_names(offered: &[u32]) -> String {
    let names: Vec<String> = offered
        .iter()
        .map(|number| match number {
            256 => String::from("Plain"),
            257 => String::from("TLSNone"),
            258 => String::from("TLSVnc"),
            259 => String::from("TLSPlain"),
            260 => String::from("X509None"),
            261 => String::from("X509Vnc"),
            262 => String::from("X509Plain"),
            263 => String::from("TLSSASL"),
            264 => String::from("X509SASL"),
            other => format!("VeNCrypt type {other}"),
        })
        .collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::{Choice, Security, outer, tight, vencrypt};
    use crate::{ConnectError, SecurityPolicy, VncOptions};
    use oriel_pin::HostPin;

    fn with(user: Option<&str>, password: Option<&str>) -> VncOptions {
        VncOptions { user: user.map(Into::into), password: password.map(Into::into), ..VncOptions::default() }
    }

    #[test]
    fn encryption_comes_before_bare_passwords_and_those_before_nothing() {
        let both = with(Some("u"), Some("p"));
        assert_eq!(outer(&both, &[1, 2, 30, 5, 129]).unwrap(), Choice::Direct(Security::Ra2With256));
        assert_eq!(outer(&both, &[1, 2, 30]).unwrap(), Choice::Direct(Security::Ard));
        assert_eq!(outer(&both, &[2, 19]).unwrap(), Choice::VeNCrypt { others: true });
        assert_eq!(outer(&both, &[16]).unwrap(), Choice::Tight);
        assert_eq!(outer(&with(None, Some("p")), &[1, 2, 113]).unwrap(), Choice::Direct(Security::VncAuth));
        assert_eq!(outer(&with(None, None), &[1, 2]).unwrap(), Choice::Direct(Security::None));
        assert_eq!(vencrypt(&both, &[256, 260, 261, 262], false).unwrap(), (Security::X509Plain, 262));
        assert_eq!(vencrypt(&with(None, Some("p")), &[260, 261, 262], false).unwrap(), (Security::X509Vnc, 261));
        assert_eq!(tight(&both, &[1, 2, 129]).unwrap(), (Security::VncAuth, 2));
    }

    #[test]
    fn what_is_missing_is_named() {
        assert!(matches!(outer(&with(None, None), &[2]), Err(ConnectError::PasswordRequired)));
        assert!(matches!(outer(&with(None, Some("p")), &[30]), Err(ConnectError::UserRequired)));
        assert!(matches!(outer(&with(None, None), &[20]), Err(ConnectError::SecurityUnsupported { .. })));
        let anonymous = vencrypt(&with(None, Some("p")), &[257, 258], false).unwrap_err();
        assert!(anonymous.to_string().contains("TLSVnc"), "{anonymous}");
        assert!(anonymous.to_string().contains("X509"), "{anonymous}");
        assert!(matches!(
            vencrypt(&with(None, Some("p")), &[258], true),
            Err(ConnectError::VeNCryptUnusable { others: true, .. })
        ));
    }

    #[test]
    fn readable_passwords_only_when_listed() {
        let both = with(Some("u"), Some("p"));
        assert!(matches!(vencrypt(&both, &[256], false), Err(ConnectError::SecurityUnsupported { .. })));
        let listed = VncOptions { security: SecurityPolicy::Only(vec![Security::Plain]), ..both };
        assert_eq!(outer(&listed, &[2, 19]).unwrap(), Choice::VeNCrypt { others: false });
        assert_eq!(vencrypt(&listed, &[256, 262], false).unwrap(), (Security::Plain, 256));
    }

    #[test]
    fn a_pinned_server_must_prove_itself() {
        let pinned = VncOptions { pin: HostPin::Sha256([1; 32]), ..with(Some("u"), Some("p")) };
        assert!(matches!(outer(&pinned, &[1, 2, 6, 30]), Err(ConnectError::IdentityMissing { .. })));
        assert_eq!(outer(&pinned, &[2, 5]).unwrap(), Choice::Direct(Security::Ra2));
        // An attacker who offers anonymous TLS beside a password is not fallen for.
        assert_eq!(outer(&pinned, &[2, 19]).unwrap(), Choice::VeNCrypt { others: false });
        assert!(matches!(vencrypt(&pinned, &[258], false), Err(ConnectError::VeNCryptUnusable { others: false, .. })));
    }
}
