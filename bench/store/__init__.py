"""Results on disk: a results folder, the records in it, how they are read and how files are written."""

from bench.store.files import StoreError, canonical, readable, sha256, storage_problem, write_atomically
from bench.store.folder import Contents, Found, Store
from bench.store.reading import read_record
from bench.store.records import Curve, Frozen, Numbers, Provenance, Record, Scores, TeacherRef, numbers_hash

__all__ = [
    "Contents",
    "Curve",
    "Found",
    "Frozen",
    "Numbers",
    "Provenance",
    "Record",
    "Scores",
    "Store",
    "StoreError",
    "TeacherRef",
    "canonical",
    "numbers_hash",
    "read_record",
    "readable",
    "sha256",
    "storage_problem",
    "write_atomically",
]
