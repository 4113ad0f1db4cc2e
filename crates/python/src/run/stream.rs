//! Batches as an Arrow C stream: what `__arrow_c_stream__` promises.
//!
//! Each call begins anew; nothing is read before the consumer pulls.

use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::ffi::FFI_ArrowSchema;
use arrow_array::ffi_stream::FFI_ArrowArrayStream;
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use crestline_store::runs::arrow::{RequestBatches, RequestColumns};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use super::errors::{RunFileError, told};

/// Rows that can be read as often as wanted.
#[pyclass(frozen, module = "crestline._native")]
#[derive(Debug)]
pub(crate) struct Stream(Source);

#[derive(Debug)]
enum Source {
    Requests(PathBuf, RequestColumns),
    Batch(RecordBatch),
}

impl Stream {
    pub(super) fn of_requests(path: PathBuf, columns: RequestColumns) -> Self {
        Self(Source::Requests(path, columns))
    }

    pub(super) fn of_batch(batch: RecordBatch) -> Self {
        Self(Source::Batch(batch))
    }

    fn schema(&self) -> SchemaRef {
        match &self.0 {
            Source::Requests(_, columns) => columns.schema(),
            Source::Batch(batch) => batch.schema(),
        }
    }
}

#[pymethods]
impl Stream {
    /// The rows from the first on. Another schema than its own is not made: who asks for one has to cast.
    #[pyo3(signature = (requested_schema=None))]
    #[expect(
        unused_variables,
        reason = "the interface lets a producer give its own schema"
    )]
    fn __arrow_c_stream__<'py>(
        &self,
        python: Python<'py>,
        requested_schema: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let reader: Box<dyn RecordBatchReader + Send> = match &self.0 {
            Source::Requests(path, columns) => {
                let batches = python.detach(|| RequestBatches::read(path, columns));
                let batches =
                    batches.map_err(|error| RunFileError::from(error).into_python(python))?;
                Box::new(Reader(batches))
            }
            Source::Batch(batch) => Box::new(RecordBatchIterator::new(
                [Ok(batch.clone())],
                batch.schema(),
            )),
        };
        let stream = FFI_ArrowArrayStream::new(reader);
        PyCapsule::new_with_value(python, stream, c"arrow_array_stream")
    }

    /// What the columns are.
    fn __arrow_c_schema__<'py>(&self, python: Python<'py>) -> PyResult<Bound<'py, PyCapsule>> {
        let schema = FFI_ArrowSchema::try_from(self.schema().as_ref())
            .map_err(|error| PyValueError::new_err(error.to_string()))?;
        PyCapsule::new_with_value(python, schema, c"arrow_schema")
    }

    /// Names of the columns.
    fn names(&self) -> Vec<String> {
        let schema = self.schema();
        let fields = schema.fields().iter();
        fields.map(|field| field.name().clone()).collect()
    }
}

/// Batches as Arrow's stream wants them.
struct Reader(RequestBatches);

impl Iterator for Reader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.0.next()?;
        Some(batch.map_err(|error| ArrowError::ExternalError(told(&error).into())))
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.0.schema())
    }
}
