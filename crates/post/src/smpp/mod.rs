//! SMPP 3.4 as values, both sides of it: PDUs in a stream, and texts and receipts in PDUs. `rusmpp` reads and writes the
//! fields; what carriers do and do not mean by them is here.

pub mod frame;
pub mod pdu;
