"""Plants and one head office in one process and in virtual time: real code, real files, a hostile channel."""
