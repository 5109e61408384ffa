//! Who may look on at whose connection, and help.

use crate::{Broker, BrokerError};
use oriel_model::{Connection, DesktopId, ShadowingPolicy, SharingPolicy, UserId};
use std::net::IpAddr;
use std::sync::PoisonError;
use std::time::Instant;

/// Under what those are counted who try links without an account: no name that somebody can have.
const KNOCKS: &str = "any link of a guest";

impl Broker {
    /// Whether somebody may invite others to their connection, and, with `control`, to keys and pointer. Answers whether guests can be
    /// given control.
    ///
    /// # Errors
    /// `Forbidden` where the pool, or a group of theirs, does not allow it.
    pub async fn may_share(&self, connection: &Connection, control: bool) -> Result<bool, BrokerError> {
        let policy = self.session_policy(connection.user, connection.desktop).await?;
        let may_control = policy.sharing == SharingPolicy::Control && !policy.view_only;
        if policy.sharing == SharingPolicy::Off {
            return Err(forbidden(
                "sharing_off",
                "this connection is not shared: its pool, or a group of its person's, says so",
            ));
        }
        if control && !may_control {
            let text = "guests of this connection watch and are not given control: its pool, or a group of its person's, says so";
            return Err(forbidden("sharing_view_only", text));
        }
        Ok(may_control)
    }

    /// As [`Self::may_share`], with people who have no account.
    ///
    /// # Errors
    /// `Forbidden` where the pool, or a group of theirs, does not allow it.
    pub async fn may_share_with_guests(&self, connection: &Connection, control: bool) -> Result<(), BrokerError> {
        self.may_share(connection, control).await?;
        if self.session_policy(connection.user, connection.desktop).await?.share_guests {
            return Ok(());
        }
        Err(forbidden(
            "sharing_guests_off",
            "this connection is not shared with people who have no account: its pool, or a group of its person's, says so",
        ))
    }

    /// Lets somebody without an account try a link. Those who guess are slowed down, as with passwords.
    ///
    /// # Errors
    /// `TooMany` where they have to wait.
    pub fn try_knock(&self, address: IpAddr) -> Result<(), BrokerError> {
        let mut throttle = self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        throttle
            .check(KNOCKS, address, Instant::now())
            .map_err(|wait| BrokerError::TooMany { retry_seconds: wait.as_secs().max(1) })
    }

    /// Whether the link that was tried from there was one.
    pub fn knocked(&self, address: IpAddr, well: bool) {
        let mut throttle = self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner);
        if well {
            throttle.success(KNOCKS, address);
        } else {
            throttle.failure(KNOCKS, address, Instant::now());
        }
    }

    /// What a guest is told: whose connection it is, and of which desktop.
    pub async fn introduction(&self, owner: UserId, desktop: DesktopId) -> Result<(String, String), BrokerError> {
        let desktop = self.inner.store.desktop(desktop).await?;
        let owner = self.find_user(&owner.to_string()).await.ok();
        Ok((
            owner.map_or_else(|| "somebody who is gone".to_owned(), |owner| owner.name),
            desktop.map_or_else(|| "a desktop that is gone".to_owned(), |desktop| desktop.name.to_string()),
        ))
    }

    /// Whether administrators may look on at the connection; answers whether its person is asked first.
    ///
    /// # Errors
    /// `Forbidden` where the pool, or a group of the person's, does not allow it.
    pub async fn may_shadow(&self, connection: &Connection) -> Result<bool, BrokerError> {
        match self.session_policy(connection.user, connection.desktop).await?.shadowing {
            ShadowingPolicy::Off => Err(forbidden(
                "shadowing_off",
                "nobody looks on at this connection: its pool, or a group of its person's, says so",
            )),
            ShadowingPolicy::Ask => Ok(true),
            ShadowingPolicy::Tell => Ok(false),
        }
    }
}

fn forbidden(code: &'static str, text: &str) -> BrokerError {
    BrokerError::Forbidden { code, text: text.into() }
}
