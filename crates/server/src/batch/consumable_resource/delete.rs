//! DeleteConsumableResource: refused while live jobs take of it (own decision, section L.10).

use batchyard_wire::Fault;
use batchyard_wire::batch::{DeleteConsumableResourceRequest, DeleteConsumableResourceResponse};

use super::key;
use crate::batch::Batch;
use crate::caller::Caller;

impl Batch {
    pub(in crate::batch) async fn delete_consumable(
        &self,
        caller: &Caller,
        input: &DeleteConsumableResourceRequest,
    ) -> Result<DeleteConsumableResourceResponse, Fault> {
        self.delete_item(caller, key(&input.consumable_resource)?).await?;
        Ok(DeleteConsumableResourceResponse {})
    }
}
