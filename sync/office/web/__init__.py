"""Head office's pages and JSON API: reads the store, books through `sync.office.requests`, decides nothing itself."""
