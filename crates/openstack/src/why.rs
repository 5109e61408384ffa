//! Nova's errors in sentences that say what to do.

use crate::{Client, Fault, Flavor, OpenStackError, Server};

/// What Nova says when its scheduler found nothing, whatever the reason.
const NO_HOST: &str = "No valid host was found";
/// What Nova says when hosts were found, and none of them could make it.
const NO_MORE_HOSTS: &str = "Exceeded maximum number of retries";

impl Client {
    /// Why a server of this flavor could not be made: Nova's word, and what Placement counts. Only for an answer that failed.
    ///
    /// # Errors
    /// None but what the cloud says when it is asked for its counts and the credentials should have let it.
    pub async fn why_not_made(&self, server: &Server, flavor: &Flavor) -> OpenStackError {
        let said = server.fault.as_ref().map_or("", |fault: &Fault| fault.message.trim());
        let tried = said.contains(NO_MORE_HOSTS);
        if !tried && !said.contains(NO_HOST) {
            let said = if said.is_empty() { "nothing more" } else { said };
            return OpenStackError::NoHost(format!("the cloud could not make {}: it said {said}", server.name));
        }
        // What it held is given back by now: room that there is was there before.
        if tried && self.candidates(flavor).await.is_ok_and(|found| found.count > 0) {
            return OpenStackError::NoHost(format!(
                "no host of the cloud could make {}, though there is room for flavor {}: the log of nova-compute says why; often a network port cannot be bound there, or the image not be read",
                server.name, flavor.name
            ));
        }
        OpenStackError::NoHost(self.why_no_place(flavor).await)
    }

    /// Whether a server of this flavor would fit now; if not, why, in one sentence.
    ///
    /// # Errors
    /// The cloud does not let these credentials see, or fails.
    pub async fn fits(&self, flavor: &Flavor) -> Result<Result<(), String>, OpenStackError> {
        if self.candidates(flavor).await?.count > 0 {
            return Ok(Ok(()));
        }
        Ok(Err(self.why_no_place(flavor).await))
    }

    async fn why_no_place(&self, flavor: &Flavor) -> String {
        let name = &flavor.name;
        let Some(ask) = flavor.gpu() else {
            return format!(
                "no host of the cloud has room for flavor {name} ({} vCPU, {} MiB, {} GiB of disk); delete servers, or take a smaller flavor",
                flavor.cpus,
                flavor.memory_mib,
                flavor.disk_gib + flavor.ephemeral_gib
            );
        };
        let classes = ask.resources.keys().cloned().collect();
        let Ok(inventory) = self.inventory(&classes).await else {
            return format!(
                "no host of the cloud has what flavor {name} asks for ({}); these credentials may not see what is free: ask the cloud's admin",
                asked(flavor)
            );
        };
        let used_up = ask.resources.iter().find_map(|(class, want)| {
            let has = inventory.get(class).copied().unwrap_or_default();
            (has.capacity.saturating_sub(has.used) < *want).then_some((class, has))
        });
        match used_up {
            Some((class, has)) if has.capacity == 0 => format!(
                "flavor {name} asks for {class}, of which the cloud has none; are the GPUs' hosts up, and does nova.conf name their types ([devices] enabled_mdev_types)?"
            ),
            Some((class, has)) => format!(
                "no GPU is free: flavor {name} asks for {class}, and all {} that the cloud has are in use; wait for one, or stop a desktop that has one",
                has.capacity
            ),
            None => format!(
                "GPUs are free, but no host that has one fits flavor {name} ({} vCPU, {} MiB, {}); another host is full, or lacks a trait that the flavor requires",
                flavor.cpus,
                flavor.memory_mib,
                asked(flavor)
            ),
        }
    }
}

/// `VGPU 1, alias a40, trait CUSTOM_X`
pub(crate) fn asked(flavor: &Flavor) -> String {
    let Some(ask) = flavor.gpu() else { return "no GPU".to_owned() };
    let mut words: Vec<String> = ask.resources.iter().map(|(class, count)| format!("{class} {count}")).collect();
    words.extend(ask.aliases.iter().map(|(name, count)| format!("alias {name} {count}")));
    words.extend(ask.traits.iter().map(|name| format!("trait {name}")));
    words.join(", ")
}
