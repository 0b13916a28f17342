"""The plant's program: weighs trucks, keeps the books, prints, opens the gate."""
