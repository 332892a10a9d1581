"""Results on disk: the results folder, its records, how they are read and how files are written."""

from bench.store.files import StoreError, canonical, file_name, readable, sha256, storage_problem, write_atomically
from bench.store.folder import Contents, Found, Store
from bench.store.reading import false_teacher, lost_teachers, read_record
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
    "false_teacher",
    "file_name",
    "lost_teachers",
    "numbers_hash",
    "read_record",
    "readable",
    "sha256",
    "storage_problem",
    "write_atomically",
]
