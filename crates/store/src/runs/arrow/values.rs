//! Values of records as Arrow arrays: one array a column.
//!
//! What a request does not have is null. Words have the same dictionary in every batch.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::{Float32Type, Float64Type, Int8Type, UInt32Type};
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int8Array, LargeStringArray, ListArray,
    StringArray, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field};
use crestline_core::metrics::Metric;
use crestline_core::record::RequestRecord;
use crestline_core::units::Nanos;

use super::columns::{Column, Values};

/// The field of a column, its unit and meaning among the metadata.
pub(super) fn field(column: &Column) -> Field {
    let meaning = ("description".to_owned(), column.meaning.to_owned());
    let unit = ("unit".to_owned(), column.unit.to_owned());
    let metadata: HashMap<String, String> = [meaning, unit]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .collect();
    Field::new(column.name, data_type(column.values), true).with_metadata(metadata)
}

fn data_type(values: Values) -> DataType {
    let list = |of| DataType::List(Arc::new(Field::new_list_field(of, true)));
    match values {
        Values::Seconds(_) | Values::Metric(_) => DataType::Float64,
        Values::Wide(_) => DataType::UInt64,
        Values::Count(_) => DataType::UInt32,
        Values::Short(_) => DataType::UInt16,
        Values::Truth(_) => DataType::Boolean,
        Values::Text(_) => DataType::Utf8,
        Values::Word(..) => {
            DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8))
        }
        Values::Gaps => list(DataType::Float32),
        Values::Counts(_) => list(DataType::UInt32),
        Values::Moments(_) => list(DataType::Float64),
        Values::Said(_) => DataType::LargeUtf8,
    }
}

/// The values of some records.
pub(super) fn array(values: Values, records: &[RequestRecord]) -> ArrayRef {
    let each = records.iter();
    match values {
        Values::Seconds(of) => {
            let seconds = each.map(|it| of(it).map(Nanos::as_secs_f64));
            Arc::new(seconds.collect::<Float64Array>())
        }
        Values::Metric(metric) => {
            Arc::new(each.map(|it| measure(metric, it)).collect::<Float64Array>())
        }
        Values::Wide(of) => Arc::new(each.map(of).collect::<UInt64Array>()),
        Values::Count(of) => Arc::new(each.map(of).collect::<UInt32Array>()),
        Values::Short(of) => Arc::new(each.map(of).collect::<UInt16Array>()),
        Values::Truth(of) => Arc::new(each.map(|it| Some(of(it))).collect::<BooleanArray>()),
        Values::Text(of) => Arc::new(each.map(of).collect::<StringArray>()),
        Values::Word(words, of) => {
            let keys: Int8Array = each.map(of).collect();
            let words = Arc::new(StringArray::from(words()));
            Arc::new(DictionaryArray::<Int8Type>::new(keys, words))
        }
        Values::Said(of) => {
            let said = each.map(|it| it.exchange.as_deref().map(of));
            Arc::new(said.collect::<LargeStringArray>())
        }
        Values::Gaps | Values::Counts(_) | Values::Moments(_) => list(values, records),
    }
}

/// Lists, which are null in no record.
fn list(values: Values, records: &[RequestRecord]) -> ArrayRef {
    let each = records.iter();
    Arc::new(match values {
        Values::Counts(of) => {
            let lists = each.map(|it| Some(of(it).iter().map(|&count| Some(count))));
            ListArray::from_iter_primitive::<UInt32Type, _, _>(lists)
        }
        Values::Moments(of) => {
            let lists = each.map(|it| Some(of(it).iter().map(|at| Some(at.as_secs_f64()))));
            ListArray::from_iter_primitive::<Float64Type, _, _>(lists)
        }
        _ => {
            let lists =
                each.map(|it| Some(it.gaps.iter().map(|gap| Some(gap.as_secs_f64() as f32))));
            ListArray::from_iter_primitive::<Float32Type, _, _>(lists)
        }
    })
}

/// A metric in its unit.
fn measure(metric: Metric, record: &RequestRecord) -> Option<f64> {
    let ticks = metric.of_request(record)?;
    Some(ticks as f64 / metric.unit().ticks())
}
