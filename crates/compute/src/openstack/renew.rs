//! A fresh disk for a server that stands: its host, port and address stay.
//!
//! Nova's `rebuild` writes image, user data and metadata down in one step. The tags, which say the generation, are changed only when the
//! fresh disk is there: until then the server is of its old generation, and whoever comes back after a lost answer finds in the
//! metadata what was asked for.

use super::{
    OpenStackCompute,
    floating::FROM,
    make::{metadata, user_data},
    mark::Mark,
    work,
};
use crate::{ComputeError, Renewed};
use oriel_machine::{GuestIdentity, MachineSpec};
use oriel_openstack::{Rebuild, Server, ServerStatus};

/// The generation that a rebuild was asked for.
const GENERATION: &str = "oriel-generation";
/// When the server had last come up before: a rebuild that is done says another time.
const LAUNCHED: &str = "oriel-was-launched";

impl OpenStackCompute {
    pub(super) async fn rebuild(&self, spec: &MachineSpec, identity: &GuestIdentity) -> Result<Renewed, ComputeError> {
        let Some(parts) = &spec.cloud else { return Ok(Renewed::No) };
        let mut all = self.of_desktop(spec.desktop).await?;
        let Some((mark, server)) = all.pop().filter(|_| all.is_empty()) else { return Ok(Renewed::No) };
        // One of this generation was begun as one that is made.
        if mark.generation >= spec.generation {
            return Ok(Renewed::No);
        }
        // Where Nova cannot write an image over a volume, one that stands on a volume is made anew.
        if server.image.is_none() && !self.client.features().await.map_err(|error| self.failed(error))?.volume_rebuild {
            return Ok(Renewed::No);
        }
        if was_asked(&server, spec.generation) {
            return self.follow(spec, &parts.image, &server).await;
        }
        // Nova rebuilds what there is: another flavor since, and it is made anew.
        if self.flavor(&parts.flavor).await.is_ok_and(|flavor| flavor.name != server.flavor) {
            return Ok(Renewed::No);
        }
        // Nobody is there who could do it.
        if server.is_host_lost() {
            return Ok(Renewed::No);
        }
        let rests = matches!(server.status, ServerStatus::Active | ServerStatus::Shutoff) && server.task.is_none();
        // Nothing could be told apart from a server that never came up.
        let (true, Some(launched)) = (rests, server.launched) else { return Ok(Renewed::No) };
        let mut metadata = metadata(spec);
        metadata.insert(LAUNCHED.to_owned(), launched.to_string());
        // Its port stays, and so does the address that leads there.
        if let Some(from) = server.metadata.get(FROM) {
            metadata.insert(FROM.to_owned(), from.clone());
        }
        let new = Rebuild { image: parts.image.clone(), metadata, user_data: user_data(spec, identity)? };
        match self.client.rebuild_server_as(&server.id, &new).await {
            Ok(()) => {
                tracing::info!(cloud = self.config.name, server = server.id, desktop = %spec.name, "A server gets a fresh disk");
                Ok(Renewed::Underway)
            }
            // It is locked, too small for the image, or the cloud does not do that (which Nova says with 500, too, where its volumes
            // are in the way): the usual way says more, and removes it whatever has been begun.
            Err(error)
                if error.is_over_quota() || matches!(error.status(), Some(400 | 401 | 403 | 404 | 409 | 500)) =>
            {
                tracing::info!(cloud = self.config.name, server = server.id, %error, "A server gets no fresh disk; it is made anew");
                Ok(Renewed::No)
            }
            Err(error) => Err(self.failed(error)),
        }
    }

    /// How far it is.
    async fn follow(&self, spec: &MachineSpec, image: &str, server: &Server) -> Result<Renewed, ComputeError> {
        if server.task.is_some() || server.status == ServerStatus::Rebuild {
            return Ok(Renewed::Underway);
        }
        let is_there = matches!(server.status, ServerStatus::Active | ServerStatus::Shutoff)
            // Of one on a volume Nova does not say it.
            && server.image.as_deref().is_none_or(|its| its == image)
            && server
                .launched
                .is_some_and(|now| server.metadata.get(LAUNCHED).is_some_and(|was| *was != now.to_string()));
        if !is_there {
            return Ok(Renewed::No);
        }
        let mark = Mark { desktop: spec.desktop, generation: spec.generation };
        let mut tags = mark.tags(&self.config.installation);
        // What was kept is of the generation that has just gone. The tags, which say that there is something, are changed after it.
        if work::is_kept(server) && self.drop_snapshots(spec.desktop, Some(spec.generation)).await? {
            tracing::warn!(cloud = self.config.name, desktop = %spec.name, "A snapshot of an earlier generation is in use, and stays until this one goes");
            tags.push(work::KEPT.to_owned());
        }
        self.client.set_server_tags(&server.id, &tags).await.map_err(|error| self.failed(error))?;
        Ok(Renewed::Done)
    }
}

fn was_asked(server: &Server, generation: u32) -> bool {
    server.metadata.contains_key(LAUNCHED)
        && server.metadata.get(GENERATION).is_some_and(|asked| *asked == generation.to_string())
}
