//! What a BMC can be asked and told.

use super::board::{BootOnce, last, link, text, texts};
use super::wire::Redfish;
use super::{MEMBERS_MAX, QUESTIONS_MAX};
use crate::DeviceError;
use crate::command::{Button, Click, PowerAction};
use crate::state::Overview;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

const SYSTEMS: &str = "/redfish/v1/Systems";
const MANAGERS: &str = "/redfish/v1/Managers";
/// Names of systems that are told where one has to be chosen.
const NAMES_MAX: usize = 8;
/// How long a BMC may take to show what was put into its drive: half a second each.
const LOOKS_MAX: u32 = 10;
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// What a button is to a BMC: values of its reset action, the best first.
pub const fn resets(button: Button) -> &'static [&'static str] {
    match button {
        Button::To(PowerAction::On) => &["On", "ForceOn"],
        // A press of the button is what its system takes for the same wish.
        Button::To(PowerAction::Off) => &["GracefulShutdown", "PushPowerButton"],
        Button::To(PowerAction::OffHard) | Button::Press(Click::PowerLong) => &["ForceOff"],
        Button::To(PowerAction::ResetHard) | Button::Press(Click::Reset) => &["ForceRestart", "PowerCycle"],
        Button::Press(Click::Power) => &["PushPowerButton"],
    }
}

impl super::Board {
    /// Whether the BMC has such a button. One that does not say what it takes is believed to have the usual ones.
    pub fn has(&self, button: Button) -> bool {
        let wanted = resets(button);
        match &self.resets {
            Some(said) => said.iter().any(|one| wanted.contains(&one.as_str())),
            None => matches!(button, Button::To(_)),
        }
    }
}

fn members(collection: &Value) -> Vec<String> {
    let list = collection.get("Members").and_then(Value::as_array);
    list.into_iter().flatten().take(MEMBERS_MAX).filter_map(|one| link(one, "/@odata.id")).collect()
}

fn lacks(text: impl Into<String>) -> DeviceError {
    DeviceError::Lacks(text.into())
}

/// What a BMC does not have, or does not show to this account.
fn absent<T>(found: Result<T, DeviceError>) -> Result<Option<T>, DeviceError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(DeviceError::NotThere { .. } | DeviceError::Refused { .. } | DeviceError::Lacks(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

impl Redfish {
    /// Which system it is, by the path of its resource.
    async fn find_system(&mut self) -> Result<String, DeviceError> {
        if !self.seen.path.is_empty() {
            return Ok(self.seen.path.clone());
        }
        let root = self.root().await?;
        let collection = link(&root, "/Systems/@odata.id").unwrap_or_else(|| SYSTEMS.to_owned());
        let collection = self.get(&collection).await?;
        let all = members(&collection);
        let wanted = self.options.system.clone();
        let found = match (all.as_slice(), wanted) {
            ([], _) => {
                return Err(lacks(
                    "the BMC has no system to power; check that the address is the machine's own, not its enclosure's",
                ));
            }
            ([only], None) => only.clone(),
            (_, None) => return Err(DeviceError::SystemUnclear(names(&all))),
            (_, Some(wanted)) => match all.iter().find(|path| last(path) == wanted) {
                Some(path) => path.clone(),
                None => self.named(&all, &wanted).await?,
            },
        };
        self.seen.path.clone_from(&found);
        Ok(found)
    }

    /// The system that calls itself so.
    async fn named(&mut self, all: &[String], wanted: &str) -> Result<String, DeviceError> {
        for path in all {
            let system = self.get(path).await?;
            let is = |pointer: &str| text(&system, pointer).as_deref() == Some(wanted);
            if is("/Id") || is("/Name") || is("/HostName") {
                return Ok(path.clone());
            }
        }
        Err(DeviceError::SystemUnclear(names(all)))
    }

    /// Power and boot: one question, and none of its answer where nothing changed.
    ///
    /// # Errors
    /// The BMC does not answer, or has no such machine.
    pub async fn refresh(&mut self) -> Result<(), DeviceError> {
        self.refill();
        self.look().await
    }

    async fn look(&mut self) -> Result<(), DeviceError> {
        let path = self.find_system().await?;
        self.seen.system = self.get(&path).await?;
        let info = link(&self.seen.system, "/Actions/#ComputerSystem.Reset/@Redfish.ActionInfo");
        if let Some(info) = info.filter(|_| self.seen.resets().is_none() && self.seen.action.is_null()) {
            // Asked once: what it takes stays.
            self.seen.action = absent(self.get(&info).await)?.unwrap_or_else(|| Arc::new(json!({})));
        }
        Ok(())
    }

    /// Its own version and consoles, and its drives.
    async fn look_around(&mut self) -> Result<(), DeviceError> {
        let mut manager = link(&self.seen.system, "/Links/ManagedBy/0/@odata.id");
        if manager.is_none() {
            let root = self.root().await?;
            let collection = link(&root, "/Managers/@odata.id").unwrap_or_else(|| MANAGERS.to_owned());
            let all = absent(self.get(&collection).await)?;
            manager = all.and_then(|all| members(&all).into_iter().next());
        }
        self.seen.manager = match manager {
            Some(path) => absent(self.get(&path).await)?.unwrap_or_default(),
            None => Arc::default(),
        };
        // Of the system since 2021; of its manager before, and still with most.
        let of_system = link(&self.seen.system, "/VirtualMedia/@odata.id");
        let of_manager = link(&self.seen.manager, "/VirtualMedia/@odata.id");
        self.seen.media.clear();
        for collection in of_system.into_iter().chain(of_manager) {
            let Some(all) = absent(self.get(&collection).await)? else { continue };
            for path in members(&all) {
                if let Some(medium) = absent(self.get(&path).await)? {
                    self.seen.media.push((path, medium));
                }
            }
            if !self.seen.media.is_empty() {
                break;
            }
        }
        Ok(())
    }

    /// Everything that people are shown.
    ///
    /// # Errors
    /// The BMC does not answer, or has no such machine.
    pub async fn overview(&mut self) -> Result<Overview, DeviceError> {
        self.refill();
        self.look().await?;
        self.look_around().await?;
        Ok(self.seen.overview())
    }

    /// As it was last heard.
    pub fn known(&self) -> Overview {
        self.seen.overview()
    }

    /// Presses a button, in the way that the BMC takes. A wish that is fulfilled already does nothing, as with a device's lights.
    ///
    /// # Errors
    /// The BMC refused, or has no such button.
    pub async fn press(&mut self, button: Button) -> Result<(), DeviceError> {
        self.refill();
        self.look().await?;
        if !self.seen.has_reset() {
            return Err(lacks(
                "the BMC offers no power actions; its account may have too few rights there, or its license may not include them",
            ));
        }
        // One that is on its way from the one to the other is neither: it may hang there.
        let is_on = self.seen.power().filter(|power| !power.busy).map(|power| power.on);
        match (button, is_on) {
            (Button::To(PowerAction::On), Some(true)) => return Ok(()),
            (Button::To(PowerAction::Off | PowerAction::OffHard | PowerAction::ResetHard), Some(false)) => {
                return Ok(());
            }
            _ => {}
        }
        let wanted = resets(button);
        let said = self.seen.resets();
        let chosen = match &said {
            None => wanted.first().copied(),
            Some(said) => wanted.iter().copied().find(|one| said.iter().any(|other| other == one)),
        };
        let Some(chosen) = chosen else {
            return Err(lacks(format!(
                "the BMC does not offer {}; it takes {}",
                wanted.join(" or "),
                said.unwrap_or_default().join(", ")
            )));
        };
        let action = "/Actions/#ComputerSystem.Reset/target";
        let usual = || format!("{}/Actions/ComputerSystem.Reset", self.seen.path.trim_end_matches('/'));
        let target = link(&self.seen.system, action).unwrap_or_else(usual);
        self.act(&target, &json!({"ResetType": chosen})).await
    }

    /// What the machine starts from next.
    ///
    /// # Errors
    /// The BMC refused, or has no such source.
    pub async fn boot_once(&mut self, from: BootOnce) -> Result<(), DeviceError> {
        self.refill();
        self.look().await?;
        let allowed = "/Boot/BootSourceOverrideTarget@Redfish.AllowableValues";
        let said = texts(self.seen.system.pointer(allowed)).unwrap_or_default();
        if !from.is_among(&said) {
            return Err(lacks(format!(
                "the machine cannot be told to start from {}; its BMC offers {}",
                from.word(),
                said.join(", ")
            )));
        }
        let enabled = if from == BootOnce::Normal { "Disabled" } else { "Once" };
        let body = json!({"Boot": {"BootSourceOverrideEnabled": enabled, "BootSourceOverrideTarget": from.word()}});
        let path = self.seen.path.clone();
        self.change(&path, &body).await
    }

    /// Puts an image that the BMC fetches from an address into a drive, and waits until it shows it. What was in it goes first.
    ///
    /// # Errors
    /// The BMC refused, has no such drive, or does not reach the address.
    pub async fn insert(&mut self, address: &str, cdrom: bool, writable: bool) -> Result<Overview, DeviceError> {
        self.refill();
        self.look().await?;
        self.look_around().await?;
        let fits = |kinds: Option<Vec<String>>| match kinds {
            Some(kinds) if cdrom => kinds.iter().any(|kind| kind == "CD" || kind == "DVD"),
            Some(kinds) => kinds.iter().any(|kind| kind == "USBStick"),
            None => cdrom,
        };
        let mut drives = self.seen.media.iter().filter(|(_, medium)| fits(texts(medium.get("MediaTypes"))));
        let Some((path, medium)) = drives.next().map(|(path, medium)| (path.clone(), Arc::clone(medium))) else {
            let kind = if cdrom { "CD" } else { "stick" };
            return Err(lacks(format!(
                "the BMC has no virtual {kind} drive; its license may not include it, or its account may not use it"
            )));
        };
        if is_inserted(&medium) {
            self.take_out(&path, &medium).await?;
        }
        let full = json!({"Image": address, "Inserted": true, "WriteProtected": !writable || cdrom});
        let plain = json!({"Image": address});
        match link(&medium, "/Actions/#VirtualMedia.InsertMedia/target") {
            Some(target) => {
                let kind = address.split(':').next().unwrap_or_default().to_ascii_uppercase();
                let explicit = json!({"Image": address, "TransferProtocolType": kind});
                // What may be said beside the address, and what must be, differs from firmware to firmware.
                let mut refused = self.act(&target, &full).await;
                for body in [&plain, &explicit] {
                    if matches!(refused, Err(DeviceError::Refused { status: 400, .. } | DeviceError::Lacks(_))) {
                        refused = self.act(&target, body).await;
                    }
                }
                refused?;
            }
            // Before there were actions.
            None => self.change(&path, &full).await?,
        }
        for _ in 0..LOOKS_MAX {
            self.refill();
            let now = self.get(&path).await?;
            let inside = is_inserted(&now);
            if let Some((_, kept)) = self.seen.media.iter_mut().find(|(of, _)| *of == path) {
                *kept = now;
            }
            if inside {
                return Ok(self.seen.overview());
            }
            sleep(LOOK_AGAIN).await;
        }
        Err(DeviceError::Unverified(
            "the BMC took the address and does not show it in its drive; check that the BMC itself reaches the address"
                .to_owned(),
        ))
    }

    async fn take_out(&mut self, path: &str, medium: &Value) -> Result<(), DeviceError> {
        match link(medium, "/Actions/#VirtualMedia.EjectMedia/target") {
            Some(target) => self.act(&target, &json!({})).await,
            None => self.change(path, &json!({"Image": null, "Inserted": false})).await,
        }
    }

    /// Empties all drives.
    ///
    /// # Errors
    /// The BMC refused.
    pub async fn eject(&mut self) -> Result<Overview, DeviceError> {
        self.refill();
        self.look().await?;
        self.look_around().await?;
        for (path, medium) in self.seen.media.clone() {
            if is_inserted(&medium) {
                self.take_out(&path, &medium).await?;
            }
        }
        self.refill();
        self.look_around().await?;
        Ok(self.seen.overview())
    }
}

fn is_inserted(medium: &Value) -> bool {
    let has_image = medium.get("Image").and_then(Value::as_str).is_some_and(|image| !image.is_empty());
    medium.get("Inserted").and_then(Value::as_bool).unwrap_or(has_image)
}

fn names(paths: &[String]) -> String {
    let more = if paths.len() > NAMES_MAX { ", …" } else { "" };
    let names: Vec<&str> = paths.iter().take(NAMES_MAX).map(|path| last(path)).collect();
    format!("{}{more}", names.join(", "))
}

/// A whole look fits what one command may ask.
const _: () = assert!(QUESTIONS_MAX as usize > 2 * MEMBERS_MAX + 8);
