"""What analysts ask in SQL: the cookbook and the dashboards."""
