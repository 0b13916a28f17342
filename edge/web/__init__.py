"""The plant's pages: server-rendered HTML, one event stream a page, commands as plain POSTs."""
