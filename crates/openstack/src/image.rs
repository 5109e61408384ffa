//! Images.
//! <https://docs.openstack.org/api-ref/image/v2/>

use crate::client::{Ask, Client, PAGE, PAGES_MAX};
use crate::{OpenStackError, Service, server::too_many};
use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    pub id: String,
    pub name: String,
    /// `active` ones can be used.
    pub status: String,
    pub size_bytes: u64,
    pub disk_format: String,
    pub min_disk_gib: u64,
    pub min_memory_mib: u64,
    pub visibility: String,
}

#[derive(Deserialize)]
struct Many {
    images: Vec<WireImage>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct WireImage {
    id: String,
    // null while it is being uploaded
    name: Option<String>,
    #[serde(default)]
    status: String,
    size: Option<u64>,
    disk_format: Option<String>,
    #[serde(default)]
    min_disk: u64,
    #[serde(default)]
    min_ram: u64,
    #[serde(default)]
    visibility: String,
}

impl Client {
    /// All images that the project may use.
    ///
    /// # Errors
    /// The cloud refuses or fails.
    pub async fn images(&self) -> Result<Vec<Image>, OpenStackError> {
        let action = "list images";
        let mut images: Vec<Image> = Vec::new();
        for _ in 0..PAGES_MAX {
            let mut query = vec![("limit", PAGE.to_string())];
            if let Some(last) = images.last() {
                query.push(("marker", last.id.clone()));
            }
            let ask = Ask { query: &query, ..Ask::get(Service::Image, action, &["images"]) };
            let page: Many = self.ask(ask).await?;
            let last = page.images.is_empty() || page.next.is_none();
            images.extend(page.images.into_iter().map(|wire| Image {
                id: wire.id,
                name: wire.name.unwrap_or_default(),
                status: wire.status,
                size_bytes: wire.size.unwrap_or_default(),
                disk_format: wire.disk_format.unwrap_or_default(),
                min_disk_gib: wire.min_disk,
                min_memory_mib: wire.min_ram,
                visibility: wire.visibility,
            }));
            if last {
                return Ok(images);
            }
        }
        Err(too_many(action, images.len()))
    }
}
