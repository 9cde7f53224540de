"""Tests of Revenue Integrity; the folders mirror the package, and `scenarios` tells stories."""
