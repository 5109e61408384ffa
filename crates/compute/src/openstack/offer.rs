//! What pools may choose of a cloud.

use super::OpenStackCompute;
use crate::ComputeError;
use oriel_model::{CloudFlavor, CloudNetwork, CloudOffer};
use oriel_openstack::{Flavor, GpuAsk};

/// Flavors with GPUs for which Placement is asked what is free: one call each, while somebody waits.
const ASKED_MAX: usize = 16;

impl OpenStackCompute {
    /// Flavors and networks, each by name, with the GPUs that are free where the cloud lets these credentials see that.
    pub(super) async fn choices(&self) -> Result<CloudOffer, ComputeError> {
        let failed = |error| self.failed(error);
        let all = self.client.flavors().await.map_err(failed)?;
        let mut flavors = Vec::with_capacity(all.len());
        let mut asked = 0;
        for flavor in all {
            let gpu = flavor.gpu();
            let mut gpus_free = None;
            if let Some(ask) = gpu.as_ref().filter(|ask| !ask.resources.is_empty() && asked < ASKED_MAX) {
                asked += 1;
                gpus_free = self.gpus_free(&flavor, ask).await;
            }
            flavors.push(CloudFlavor {
                id: flavor.id,
                name: flavor.name,
                vcpus: flavor.cpus,
                memory_mib: flavor.memory_mib,
                disk_gib: flavor.disk_gib.saturating_add(flavor.ephemeral_gib),
                gpu: gpu.as_ref().map(words),
                gpus_free,
            });
        }
        let mut networks: Vec<CloudNetwork> = self
            .client
            .networks()
            .await
            .map_err(failed)?
            .into_iter()
            .filter(|one| one.admin_state_up)
            .map(|one| CloudNetwork { id: one.id, name: one.name, shared: one.shared, external: one.external })
            .collect();
        flavors.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        networks.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(CloudOffer { flavors, networks })
    }

    /// None: Placement is not for these credentials.
    async fn gpus_free(&self, flavor: &Flavor, ask: &GpuAsk) -> Option<u64> {
        match self.client.candidates(flavor).await {
            Ok(found) if found.count == 0 => Some(0),
            Ok(found) => {
                let of = |(class, want): (&String, &u64)| {
                    found.free.get(class).copied().unwrap_or(0).checked_div(*want).unwrap_or(0)
                };
                ask.resources.iter().map(of).min()
            }
            Err(error) => {
                tracing::debug!(cloud = self.config.name, %error, "What is free of a flavor's GPUs cannot be asked");
                None
            }
        }
    }
}

/// `VGPU × 1`, `a40 × 2`.
fn words(ask: &GpuAsk) -> String {
    let classes = ask.resources.iter().map(|(class, count)| format!("{class} × {count}"));
    let aliases = ask.aliases.iter().map(|(name, count)| format!("{name} × {count}"));
    classes.chain(aliases).collect::<Vec<_>>().join(", ")
}
