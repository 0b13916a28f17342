"""Head office: takes in the plants' ledgers, keeps the customers' money, sends notices and grants, shows shipments."""
