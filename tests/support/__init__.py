"""What tests of every kind are made with: fakes are small real servers."""
