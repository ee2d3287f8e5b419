"""The loopback proxy that other processes' traffic goes through, as long as the command it serves lives."""
