"""Parts of several methods' losses: returns, masks, distillation."""
