//! Ports of a PiKVM Switch as machines of their own: the device in front of them is asked, whose address, account and certificate hold
//! for all its ports. They share its keyboard and screen, so that one person at a time is at the device or at one of its ports.

use crate::clock::now;
use crate::{Broker, BrokerError};
use oriel_model::{Desktop, DesktopId, External, MachineProtocol, Name, SwitchPort, UserId};
use std::collections::BTreeSet;

/// The device's name and the port, where a machine is at one.
pub(super) fn port_of(machine: &Desktop) -> Option<(&str, SwitchPort)> {
    machine.external.as_ref().and_then(External::behind)
}

/// Whether a machine is at a port of the device of this name.
pub(crate) fn is_behind(machine: &Desktop, device: &Name) -> bool {
    machine.external.as_ref().and_then(|external| external.parameters.behind.as_deref()) == Some(device.as_str())
}

impl Broker {
    /// The device that is asked where a machine is meant, and for a port of a Switch which: others are their own device.
    pub async fn front_of(&self, machine: &Desktop) -> Result<(Desktop, Option<SwitchPort>), BrokerError> {
        match port_of(machine) {
            None => Ok((machine.clone(), None)),
            Some((device, port)) => Ok((self.device_in_front(device, &machine.name).await?, Some(port))),
        }
    }

    async fn device_in_front(&self, device: &str, machine: &Name) -> Result<Desktop, BrokerError> {
        let found = match device.parse::<Name>() {
            Ok(name) => self.inner.store.desktop_by_name(&name).await?,
            Err(_) => None,
        };
        let is_front = |found: &Desktop| {
            let external = found.external.as_ref();
            external.is_some_and(|it| it.protocol == MachineProtocol::Pikvm && it.parameters.behind.is_none())
        };
        found.filter(is_front).ok_or_else(|| {
            BrokerError::conflict(
                "switch_device",
                format!("{device:?}, the device with the Switch that {machine} is at, is no PiKVM that was entered"),
                "enter it, or name another one: oriel device list",
            )
        })
    }

    /// What has the one keyboard and screen by which people are at a desktop; `None`: everybody has their own.
    pub async fn seat_of(&self, desktop: &Desktop) -> Result<Option<DesktopId>, BrokerError> {
        if !desktop.has_one_seat() {
            return Ok(None);
        }
        Ok(Some(self.front_of(desktop).await?.0.id))
    }

    /// Whether somebody else than this person has this seat ([`Self::seat_of`]) through another program on this database, as far as that
    /// one has said.
    pub async fn is_seated_elsewhere(&self, seat: DesktopId, person: UserId) -> Result<bool, BrokerError> {
        let there = self.inner.store.attended_elsewhere(person, self.program(), now()).await?;
        let there: Vec<DesktopId> = there.into_iter().collect();
        for desktop in self.inner.store.desktops_named(&there).await? {
            // Nobody is at a port whose device is gone.
            if self.seat_of(&desktop).await.is_ok_and(|at| at == Some(seat)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// All machines that are seen by the one screen of a device: itself, and those at its Switch.
    pub(crate) async fn sharing(&self, seat: DesktopId) -> Result<BTreeSet<DesktopId>, BrokerError> {
        let all = self.inner.store.desktops().await?;
        let Some(device) = all.iter().find(|one| one.id == seat) else { return Ok(BTreeSet::new()) };
        let there = all.iter().filter(|one| one.id == seat || is_behind(one, &device.name));
        Ok(there.map(|one| one.id).collect())
    }

    /// A port is where its device is; nobody has it yet.
    pub(crate) async fn place_port(
        &self,
        id: DesktopId,
        machine: &Name,
        external: &mut External,
    ) -> Result<(), BrokerError> {
        let Some((device, port)) = external.behind() else { return Ok(()) };
        let front = self.device_in_front(device, machine).await?;
        if front.id == id {
            return Err(BrokerError::conflict(
                "switch_device",
                format!("{machine} cannot be at a port of its own Switch"),
                format!("enter the port as a machine of its own: oriel device port add {machine} PORT"),
            ));
        }
        let all = self.inner.store.desktops().await?;
        let is_there = |other: &&Desktop| other.id != id && port_of(other) == Some((device, port));
        if let Some(other) = all.iter().find(is_there) {
            return Err(BrokerError::conflict(
                "port_taken",
                format!("port {port} of {device} is {} already", other.name),
                format!("remove that one first: oriel machine remove {}", other.name),
            ));
        }
        if all.iter().any(|other| is_behind(other, machine)) {
            return Err(BrokerError::conflict(
                "switch_device",
                format!("{machine} has machines at its own Switch, so that it cannot be at another's"),
                "remove those first",
            ));
        }
        if let Some(place) = front.external {
            (external.host, external.port) = (place.host, place.port);
        }
        Ok(())
    }

    /// The machines at a device's Switch go where it goes.
    pub(crate) async fn move_ports(&self, device: &Desktop) -> Result<(), BrokerError> {
        let Some(place) = &device.external else { return Ok(()) };
        for machine in self.inner.store.desktops().await? {
            if !is_behind(&machine, &device.name) {
                continue;
            }
            let moved = |row: &mut Desktop| {
                if let Some(external) = &mut row.external {
                    (external.host, external.port) = (place.host.clone(), place.port);
                }
            };
            self.inner.store.modify_desktop(machine.id, moved).await?;
        }
        Ok(())
    }
}
