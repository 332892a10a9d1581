"""What several methods' losses are made of: returns, masks, distillation."""
