import os
import sys

if "DATABASE_URL" not in os.environ:
    sys.exit("DATABASE_URL is not set")
